-- Begin a batch: returns the number of the attempt, the time in seconds and what hashes say of the
-- batch, or why not to.
-- KEYS: job, done, running, attempts, hashes…
-- ARGV: wave, batch, lease seconds, redelivered, seconds to prove that its holder lives,
--   attempts without a pause, newest protocol that the caller knows
if tonumber(redis.call('HGET', KEYS[1], 'protocol') or 1) > tonumber(ARGV[7]) then
  return 'of a newer version'
end
local batch, batches = tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], 'batches') or 0)
if batch < 0 or batch >= batches then return 'unknown' end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'queued' and ARGV[1] == 'loading' then
  state = 'loading'
  redis.call('HSET', KEYS[1], 'state', state, 'started_at', now)
end
if state ~= ARGV[1] then return 'stale' end
if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 1 then return 'duplicate' end
local deadline = tonumber(redis.call('ZSCORE', KEYS[3], ARGV[2]) or 0)
local silent = now + ARGV[3] - deadline
-- Lost again and again: the sweeper sends it after a pause, for what kills the processes may pass.
local is_paused = deadline > 0 and ARGV[4] == '1'
  and tonumber(redis.call('HGET', KEYS[4], ARGV[2]) or 0) >= tonumber(ARGV[6])
if is_paused or (deadline > now and (ARGV[4] == '0' or silent < tonumber(ARGV[5]))) then
  -- The broker delivers again what a dead process had, and what a dropped connection had: the
  -- next heartbeat tells which, and without one the sweeper sends the batch again.
  if ARGV[4] == '1' then redis.call('ZADD', KEYS[3], 'LT', now + ARGV[5], ARGV[2]) end
  -- Stepping aside counts as a part of the chord, which may now fire early.
  redis.call('HSET', KEYS[1], 'chord_broken', 1)
  return 'running'
end
redis.call('ZADD', KEYS[3], now + ARGV[3], ARGV[2])
redis.call('HSET', KEYS[1], 'active_at', now)
local started = {redis.call('HINCRBY', KEYS[4], ARGV[2], 1), tonumber(time[1])}
for i = 5, #KEYS do
  started[i - 2] = redis.call('HGET', KEYS[i], ARGV[2])
end
return started
