#!lua flags=allow-oom
-- Take the batches whose lease has run out, so that they are sent again once.
-- KEYS: job, running, attempts, counts
-- ARGV: lease seconds, seconds by which settings may differ, attempts without a pause,
--   longest pause, wave
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
-- Their holders renew them every second. Those that are left for much longer than a lease were
-- given before the server's clock was set back.
local future = now + ARGV[1] + ARGV[2]
for _, batch in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], future, '+inf')) do
  redis.call('ZADD', KEYS[2], now + ARGV[1], batch)
end
local lost, killed, running = {}, 0, redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'WITHSCORES')
for i = 1, #running, 2 do
  local batch, deadline = running[i], tonumber(running[i + 1])
  local more = tonumber(redis.call('HGET', KEYS[3], batch) or 0) - ARGV[3]
  -- Lost again and again: what kills the processes may pass. What was given back has 0.
  local pause = deadline > 0 and more >= 0 and math.min(2 ^ more, tonumber(ARGV[4])) or 0
  if deadline + pause <= now then
    lost[#lost + 1] = batch
    if deadline > 0 then killed = killed + 1 end
    redis.call('ZREM', KEYS[2], batch)
  end
end
if killed > 0 then
  redis.pcall('HINCRBY', KEYS[4], 'attempts:' .. ARGV[5] .. ':lost', killed)
end
if #lost > 0 then redis.call('HSET', KEYS[1], 'chord_broken', 1) end
return lost
