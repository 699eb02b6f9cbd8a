#!lua flags=allow-oom
-- Forget the jobs that have expired: returns their number.
-- KEYS: jobs    ARGV: name of a job's hash, with %s for its id
local forgotten = 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if redis.call('EXISTS', (string.gsub(ARGV[1], '%%s', id))) == 0 then
    forgotten = forgotten + redis.call('ZREM', KEYS[1], id)
  end
end
return forgotten
