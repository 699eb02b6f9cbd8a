-- Count a batch with its output in one step: values of hashes, some of which name its shards.
-- KEYS: job, done, running, counts, hashes…
-- ARGV: wave, batch, loaded, failed, known, token of the model or nothing, what to add to counts
-- of all jobs as JSON, what the key of a shard in Redis begins with, how many of the hashes name
-- shards (the first ones), values of the hashes…
local wave, batch, prefix, n_shards = ARGV[1], ARGV[2], ARGV[8], tonumber(ARGV[9])
local job, done, running = KEYS[1], KEYS[2], KEYS[3]
local FIRST = 4 -- the first hash comes after it
local function value_of(i) return ARGV[9 + i] end
local function tell()
  local total = tonumber(redis.call('HGET', job, 'batches'))
  local is_complete = tonumber(redis.call('HGET', job, wave .. '_done')) == total
    and redis.call('HGET', job, 'state') == wave
  if is_complete and redis.call('HEXISTS', job, 'chord_broken') == 1 then return 'last' end
  return 'committed'
end

local is_done = redis.call('SISMEMBER', done, batch) == 1
-- The reply to this very commit was lost: no other attempt has these names.
if is_done and n_shards > 0 and redis.call('HGET', KEYS[FIRST + 1], batch) == value_of(1) then
  return tell()
end
if redis.call('HGET', job, 'state') ~= wave then return 'stale' end
-- A job that was retried has another model.
if ARGV[6] ~= '' and ARGV[6] ~= redis.call('HGET', job, 'model_token') then return 'stale' end
if is_done then return 'duplicate' end
-- Shards can be gone: Redis lost them when it was killed, or much time went by.
local in_redis = (redis.call('HGET', job, 'place') or '') == ''
for i = 1, n_shards do
  if in_redis and redis.call('EXISTS', prefix .. value_of(i)) == 0 then return 'stale' end
end

redis.call('SADD', done, batch)
for i = 1, n_shards do
  if in_redis then
    redis.call('PERSIST', prefix .. value_of(i))
    -- What was loaded before a retry is part of this.
    local before = redis.call('HGET', KEYS[FIRST + i], batch)
    if before and before ~= value_of(i) then redis.call('UNLINK', prefix .. before) end
  end
end
for i = 1, #KEYS - FIRST do redis.call('HSET', KEYS[FIRST + i], batch, value_of(i)) end
redis.call('HINCRBY', job, 'loaded', ARGV[3])
redis.call('HINCRBY', job, 'failed', ARGV[4])
if ARGV[5] ~= '0' then redis.call('HINCRBY', job, 'known', ARGV[5]) end
redis.call('ZREM', running, batch)
-- Not call: a damaged count must not leave a batch half committed.
for name, number in pairs(cjson.decode(ARGV[7])) do
  redis.pcall('HINCRBY', KEYS[4], name, number)
end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('HSET', job, 'active_at', now)
local n_done = redis.call('HINCRBY', job, wave .. '_done', 1)
if n_done == tonumber(redis.call('HGET', job, 'batches')) then
  redis.call('HSET', job, wave .. '_ended_at', now)
end
return tell()
