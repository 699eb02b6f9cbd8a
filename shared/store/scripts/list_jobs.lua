#!lua flags=no-writes
-- Return the ids of the jobs that have not expired, newest first.
-- KEYS: jobs    ARGV: name of a job's hash, with %s for its id
local ids = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, -1)) do
  if redis.call('EXISTS', (string.gsub(ARGV[1], '%%s', id))) == 1 then ids[#ids + 1] = id end
end
return ids
