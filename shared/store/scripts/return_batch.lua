#!lua flags=allow-oom
-- Give back a batch that was begun: the attempt does not count, and the sweeper sends it again.
-- KEYS: job, running, attempts, counts    ARGV: wave, batch
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
if not redis.call('ZSCORE', KEYS[2], ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'chord_broken', 1)
redis.call('HINCRBY', KEYS[3], ARGV[2], -1)
redis.call('ZADD', KEYS[2], 0, ARGV[2])
redis.pcall('HINCRBY', KEYS[4], 'attempts:' .. ARGV[1] .. ':returned', 1)
return 1
