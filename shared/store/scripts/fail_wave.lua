#!lua flags=allow-oom
-- End a job in the middle of a wave without a result; 0 if it is not there any more.
-- KEYS: job, counts    ARGV: wave, error
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('HSET', KEYS[1], 'state', 'failed', 'finished_at', now, 'error', ARGV[2])
redis.pcall('HINCRBY', KEYS[2], 'ended:failed', 1)
return 1
