#!lua flags=allow-oom
-- Renew a lease: returns 1 while its holder is the one whose work will count.
-- KEYS: job, lease    ARGV: token, state while at work, lease milliseconds
local held = redis.call('HMGET', KEYS[1], 'fence', 'state')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
return 1
