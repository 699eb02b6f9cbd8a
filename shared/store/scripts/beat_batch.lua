#!lua flags=allow-oom
-- Give a heartbeat: returns 1 while the batch is still wanted.
-- KEYS: job, running    ARGV: wave, batch, lease seconds
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
-- What was given back or failed has 0: a sign that was on its way must not keep it for nobody.
local deadline = redis.call('ZSCORE', KEYS[2], ARGV[2])
if deadline and tonumber(deadline) > 0 then
  local time = redis.call('TIME')
  redis.call('ZADD', KEYS[2], time[1] + time[2] / 1e6 + ARGV[3], ARGV[2])
end
return 1
