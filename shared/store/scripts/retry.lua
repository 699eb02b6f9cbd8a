#!lua
-- Let an ended job go on: returns the batches to load, or why it does not.
-- One step, however many batches there are (34 ms for 2,048): a job that lives again must not
-- keep a single key that expires, and features must not go while they are counted.
-- KEYS: job, active, manifest, lease,
--   shapes, failures, statistics, hashes, thumbnails, and of loading: done, running, attempts,
--   errors; of labelling: done, running, attempts, errors; known;
--   features and labels of each batch, and what was written under each lease's token
-- ARGV: job id, 1 to try the images again that failed, batches
local job, shapes, failures, statistics, hashes = KEYS[1], KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local thumbnails, done = KEYS[9], KEYS[10]
local batches, only_failed = tonumber(ARGV[3]), ARGV[2] == '1'
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

local FIRST = 18
local loaded, failed, missing = 0, 0, {}
for batch = 0, batches - 1 do
  local features, labels = KEYS[FIRST + 2 * batch + 1], KEYS[FIRST + 2 * batch + 2]
  local shape = redis.call('HGET', shapes, batch)
  local lost = redis.call('HGET', failures, batch) or '[]'
  local is_done = redis.call('SISMEMBER', done, batch) == 1
  if not shape or redis.call('EXISTS', features) == 0
      or redis.call('HEXISTS', statistics, batch) == 0
      or redis.call('HEXISTS', hashes, batch) == 0 then
    -- Its features are gone: all of its images are loaded anew.
    for _, key in ipairs({shapes, failures, statistics, hashes, thumbnails}) do
      redis.call('HDEL', key, batch)
    end
    redis.call('UNLINK', features)
    is_done = false
  elseif only_failed and lost ~= '[]' then
    is_done = false
  end
  if is_done then
    local _, count = string.gsub(lost, '"position":', '')
    failed = failed + count
    loaded = loaded + tonumber(string.match(shape, '"rows":(%d+)') or 0)
  else
    redis.call('SREM', done, batch)
    missing[#missing + 1] = batch
  end
  redis.call('PERSIST', features)
  redis.call('UNLINK', labels)
end

for _, i in ipairs({1, 3, 5, 6, 7, 8, 9, 10, 18}) do redis.call('PERSIST', KEYS[i]) end
for _, i in ipairs({4, 11, 12, 13, 14, 15, 16, 17}) do redis.call('DEL', KEYS[i]) end
for i = FIRST + 2 * batches + 1, #KEYS do redis.call('UNLINK', KEYS[i]) end
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
return missing
