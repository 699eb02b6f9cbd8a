#!lua flags=allow-oom
-- Take the workers without a heartbeat for so long: each is returned, and counted, once.
-- KEYS: workers, counts    ARGV: seconds
local time = redis.call('TIME')
local before = time[1] + time[2] / 1e6 - ARGV[1]
local lost = redis.call('ZRANGEBYSCORE', KEYS[1], 0, before)
for _, name in ipairs(lost) do redis.call('ZREM', KEYS[1], name) end
if #lost > 0 then redis.pcall('HINCRBY', KEYS[2], 'lost_workers', #lost) end
return lost
