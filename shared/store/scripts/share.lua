#!lua flags=allow-oom
-- Note that a job was asked for once more; 0 if there is no such job.
-- KEYS: job
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'shared', 1)
return 1
