-- Store a batch's output, its number and its counts in one step.
-- KEYS: job, done, running, output, hashes…
-- ARGV: stage, batch, loaded, failed, output, token of the model or nothing, seconds that it took or
-- nothing, values of the hashes…
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 'stale' end
-- A job that was retried has another model.
if ARGV[6] ~= '' and ARGV[6] ~= redis.call('HGET', KEYS[1], 'model_token') then return 'stale' end
if redis.call('SADD', KEYS[2], ARGV[2]) == 0 then return 'duplicate' end
redis.call('SET', KEYS[4], ARGV[5])
for i = 5, #KEYS do
  redis.call('HSET', KEYS[i], ARGV[2], ARGV[i + 3])
end
redis.call('HINCRBY', KEYS[1], 'loaded', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'failed', ARGV[4])
redis.call('ZREM', KEYS[3], ARGV[2])
if ARGV[7] ~= '' then
  redis.call('HINCRBYFLOAT', KEYS[1], ARGV[1] .. '_seconds', ARGV[7])
  redis.call('HINCRBY', KEYS[1], ARGV[1] .. '_timed', 1)
end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('HSET', KEYS[1], 'active_at', now)
local done = redis.call('HINCRBY', KEYS[1], ARGV[1] .. '_done', 1)
if done == tonumber(redis.call('HGET', KEYS[1], 'batches')) then
  redis.call('HSET', KEYS[1], ARGV[1] .. '_ended_at', now)
  if redis.call('HEXISTS', KEYS[1], 'chord_broken') == 1 then return 'last' end
end
return 'committed'
