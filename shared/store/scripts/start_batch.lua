-- Begin a batch: returns the number of the attempt, or why not to.
-- KEYS: job, done, running, attempts    ARGV: stage, batch, lease seconds, redelivered
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'queued' and ARGV[1] == 'loading' then
  state = 'loading'
  redis.call('HSET', KEYS[1], 'state', state, 'started_at', now)
end
if state ~= ARGV[1] then return 'stale' end
if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 1 then return 'duplicate' end
local beat = redis.call('ZSCORE', KEYS[3], ARGV[2])
-- The broker marks a message whose holder it saw die; any other copy waits for the lease.
if beat and now - beat < tonumber(ARGV[3]) and ARGV[4] == '0' then
  -- Stepping aside counts as a part of the chord, which may now fire early.
  redis.call('HSET', KEYS[1], 'chord_broken', 1)
  return 'running'
end
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('HSET', KEYS[1], 'active_at', now)
return redis.call('HINCRBY', KEYS[4], ARGV[2], 1)
