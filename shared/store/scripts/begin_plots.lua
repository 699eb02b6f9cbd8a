#!lua
-- Begin to draw a job's plots again: token of its findings and number of its names; 0 if not to be.
-- KEYS: job, outdated    ARGV: job id, most attempts
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 0 then return 0 end
local job = redis.call('HMGET', KEYS[1], 'state', 'findings_token', 'names_revision')
-- A job that is retried, fails or expires has no such plots, or draws them itself.
if job[1] ~= 'finished' or not job[2]
    or redis.call('HINCRBY', KEYS[1], 'plots_attempts', 1) > tonumber(ARGV[2]) then
  redis.call('SREM', KEYS[2], ARGV[1])
  if job[1] then redis.call('HDEL', KEYS[1], 'plots_attempts') end
  return 0
end
return {job[2], job[3] or '0'}
