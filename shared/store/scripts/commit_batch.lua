-- Store a batch's output, its number and its counts in one step.
-- KEYS: job, done, running, output, staged output, hashes…
-- ARGV: wave, batch, loaded, failed, known, token of the model or nothing, seconds that it took
-- or nothing, values of the hashes…
local function refuse(why)
  redis.call('UNLINK', KEYS[5])
  return why
end
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return refuse('stale') end
-- A job that was retried has another model.
if ARGV[6] ~= '' and ARGV[6] ~= redis.call('HGET', KEYS[1], 'model_token') then
  return refuse('stale')
end
if redis.call('SISMEMBER', KEYS[2], ARGV[2]) == 1 then return refuse('duplicate') end
-- It can be gone: Redis lost it when it was killed between the two, or much time went by.
if redis.call('EXISTS', KEYS[5]) == 0 then return 'stale' end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('RENAME', KEYS[5], KEYS[4])
redis.call('PERSIST', KEYS[4])
for i = 6, #KEYS do
  redis.call('HSET', KEYS[i], ARGV[2], ARGV[i + 2])
end
redis.call('HINCRBY', KEYS[1], 'loaded', ARGV[3])
redis.call('HINCRBY', KEYS[1], 'failed', ARGV[4])
if ARGV[5] ~= '0' then redis.call('HINCRBY', KEYS[1], 'known', ARGV[5]) end
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
