#!lua flags=allow-oom
-- Note a worker's heartbeat, and what it says of itself until it is not shown any more.
-- KEYS: workers, seen workers, facts of this one    ARGV: name, facts or nothing, seconds
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZADD', KEYS[2], now, ARGV[1])
if ARGV[2] ~= '' then redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3]) end
