#!lua flags=allow-oom
-- Note a worker's heartbeat, and what it says of itself until it is not shown any more.
-- KEYS: facts of this one, workers, seen workers, workers of each protocol…    ARGV: name, facts or nothing, seconds
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
for i = 2, #KEYS do redis.call('ZADD', KEYS[i], now, ARGV[1]) end
if ARGV[2] ~= '' then redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
