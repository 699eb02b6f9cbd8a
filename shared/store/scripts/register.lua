#!lua
-- Register a job, with its manifest. Returns nothing; or the id of another job with its fingerprint
-- that its submitter does not know, or 'gone' if the model that it is to use has expired: then
-- nothing is left of this one.
-- One step: of those who submit one folder at the same time, the others must find the first's job.
-- KEYS: job, manifest, locations, jobs, active, counts; the model that it is to use, and where it is
-- copied to, if any
-- ARGV: job id, name of a job's hash with %s for its id, fingerprint or nothing, number of the jobs
-- of this fingerprint that are known, their ids…, fields and values…
-- This call was made before, and its reply was lost.
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local n_known, known = tonumber(ARGV[4]), {}
for i = 5, 4 + n_known do known[ARGV[i]] = true end
if ARGV[3] ~= '' then
  for _, id in ipairs(redis.call('ZREVRANGE', KEYS[4], 0, -1)) do
    -- Not call: a damaged job must not prevent new ones.
    local hash = string.gsub(ARGV[2], '%%s', id)
    if not known[id] and redis.pcall('HGET', hash, 'fingerprint') == ARGV[3] then
      redis.call('UNLINK', KEYS[2], KEYS[3])
      return id
    end
  end
end
if KEYS[7] then
  if redis.call('COPY', KEYS[7], KEYS[8], 'REPLACE') == 0 then
    redis.call('UNLINK', KEYS[2], KEYS[3])
    return 'gone'
  end
  redis.call('PERSIST', KEYS[8])
end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('HSET', KEYS[1], 'created_at', now, 'active_at', now, unpack(ARGV, 5 + n_known))
redis.call('PERSIST', KEYS[2])
redis.call('PERSIST', KEYS[3])
redis.call('ZADD', KEYS[4], now, ARGV[1])
redis.call('ZADD', KEYS[5], now, ARGV[1])
redis.pcall('HINCRBY', KEYS[6], 'submitted', 1)
