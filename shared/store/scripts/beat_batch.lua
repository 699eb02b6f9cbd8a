#!lua flags=allow-oom
-- Give a sign of life: returns 1 while the batch is still wanted.
-- KEYS: job, running    ARGV: stage, batch, lease seconds
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[2], 'XX', time[1] + time[2] / 1e6 + ARGV[3], ARGV[2])
return 1
