#!lua flags=no-writes
-- List the workers: returns the time in seconds and microseconds, then of each worker its name, the
-- time of its last heartbeat, and its facts or nothing.
-- KEYS: workers, seen workers    ARGV: what the key of a worker's facts begins with
local time = redis.call('TIME')
local found, known = {tonumber(time[1]), tonumber(time[2])}, {}
for _, key in ipairs(KEYS) do
  local scored = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
  for i = 1, #scored, 2 do
    local name = scored[i]
    if not known[name] then
      known[name] = true
      found[#found + 1] = name
      found[#found + 1] = scored[i + 1]
      found[#found + 1] = redis.call('GET', ARGV[1] .. name) or ''
    end
  end
end
return found
