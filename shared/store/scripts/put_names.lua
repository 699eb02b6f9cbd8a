#!lua
-- Name clusters of a job, all of them or, if it is in another state (0), none.
-- KEYS: job, names, outdated plots    ARGV: state, job id; label, name…; no name takes it away
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
for i = 3, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
-- A job that is fitted draws its plots later.
if ARGV[1] == 'finished' then
  redis.call('HINCRBY', KEYS[1], 'names_revision', 1)
  redis.call('HDEL', KEYS[1], 'plots_attempts')
  redis.call('SADD', KEYS[3], ARGV[2])
end
-- The job's other keys may have their time to live already.
local expires_at = redis.call('PEXPIRETIME', KEYS[1])
if expires_at > 0 then redis.call('PEXPIREAT', KEYS[2], expires_at) end
return 1
