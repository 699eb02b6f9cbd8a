#!lua
-- Let an ended job go on: returns the batches to load, or why it does not.
-- One step, however many batches there are (34 ms for 2,048): a job that lives again must not
-- keep a single key that expires, and features must not go while they are counted.
-- KEYS: job, active, manifest, lease,
--   shapes, failures, hashes, names of shards of features, thumbnails, coordinates; labels;
--   of loading: done, running, attempts, errors; of labelling: done, running, attempts, errors;
--   known, given model, near copies, names, who is far, locations; counts; and what was written under
--   each lease's token
-- ARGV: job id, 1 to try the images again that failed, batches, what the key of a shard in Redis
--   begins with; batches whose shard of features is lost, each with its name…
local job, shapes, failures, hashes = KEYS[1], KEYS[5], KEYS[6], KEYS[7]
local features, thumbnails, coordinates = KEYS[8], KEYS[9], KEYS[10]
local done, FIRST_WRITTEN = KEYS[12], 27
local batches, only_failed, prefix = tonumber(ARGV[3]), ARGV[2] == '1', ARGV[4]
local state = redis.call('HGET', job, 'state')
if not state or redis.call('HLEN', KEYS[3]) ~= batches then return 'gone' end
local ended = state == 'finished' or state == 'failed' or state == 'cancelled'
if not ended or (state == 'finished' and not only_failed) then return state end

local function any_failed()
  for _, failed in ipairs(redis.call('HVALS', failures)) do
    if failed ~= '[]' then return true end
  end
  return false
end
if only_failed and not any_failed() then return 'nothing' end

local in_redis = (redis.call('HGET', job, 'place') or '') == ''
local function unlink(key, batch)
  local name = in_redis and redis.call('HGET', key, batch)
  if name then redis.call('UNLINK', prefix .. name) end
end
local lost = {}
for i = 5, #ARGV, 2 do lost[ARGV[i]] = ARGV[i + 1] end

local loaded, failed, missing = 0, 0, {}
for batch = 0, batches - 1 do
  local shape = redis.call('HGET', shapes, batch)
  local name = redis.call('HGET', features, batch)
  local failures_of = redis.call('HGET', failures, batch) or '[]'
  local is_done = redis.call('SISMEMBER', done, batch) == 1
  if not shape or not name or lost[tostring(batch)] == name
      or (in_redis and redis.call('EXISTS', prefix .. name) == 0)
      or redis.call('HEXISTS', hashes, batch) == 0 then
    -- Its features are gone: all of its images are loaded anew.
    for _, key in ipairs({features, thumbnails}) do unlink(key, batch) end
    for _, key in ipairs({shapes, failures, hashes, features, thumbnails}) do
      redis.call('HDEL', key, batch)
    end
    is_done = false
  elseif only_failed and failures_of ~= '[]' then
    is_done = false
  end
  if is_done then
    local _, count = string.gsub(failures_of, '"position":', '')
    failed = failed + count
    loaded = loaded + tonumber(string.match(shape, '"rows":(%d+)') or 0)
  else
    redis.call('SREM', done, batch)
    missing[#missing + 1] = batch
  end
  unlink(coordinates, batch)
  if in_redis then
    for _, key in ipairs({features, thumbnails}) do
      local kept = redis.call('HGET', key, batch)
      if kept then redis.call('PERSIST', prefix .. kept) end
    end
  end
end

for _, i in ipairs({1, 3, 5, 6, 7, 8, 9, 12, 20, 21, 22, 25}) do redis.call('PERSIST', KEYS[i]) end
for _, i in ipairs({4, 10, 11, 13, 14, 15, 16, 17, 18, 19, 23, 24}) do redis.call('DEL', KEYS[i]) end
for i = FIRST_WRITTEN, #KEYS do redis.call('UNLINK', KEYS[i]) end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('HDEL', job, 'error', 'known', 'started_at', 'finished_at', 'expires_at', 'loading_ended_at',
  'labelling_ended_at', 'labelling_done', 'model_token', 'findings_token',
  'fitting_attempts', 'finishing_attempts')
redis.call('HSET', job, 'state', 'queued', 'loaded', loaded, 'failed', failed,
  'kept', loaded + failed, 'loading_done', batches - #missing, 'active_at', now,
  'chord_broken', 1)
-- With nothing to load, only the callback is missing.
if #missing == 0 then redis.call('HSET', job, 'state', 'loading', 'started_at', now) end
redis.call('ZADD', KEYS[2], redis.call('HGET', job, 'created_at'), ARGV[1])
redis.pcall('HINCRBY', KEYS[26], 'retried', 1)
return missing
