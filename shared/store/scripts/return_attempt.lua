#!lua flags=allow-oom
-- Do not count the attempt of a lease: Redis was to blame. The lease runs out by itself.
-- KEYS: job    ARGV: token, state while at work
local held = redis.call('HMGET', KEYS[1], 'fence', 'state')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
redis.call('HINCRBY', KEYS[1], ARGV[2] .. '_attempts', -1)
return 1
