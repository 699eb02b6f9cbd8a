-- Note what the first worker of a job uses: returns that, or nothing if there is no such job.
-- KEYS: job    ARGV: field, digest
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])
return redis.call('HGET', KEYS[1], ARGV[1])
