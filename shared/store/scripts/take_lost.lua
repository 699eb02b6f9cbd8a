-- Take the batches without a sign of life, so that they are sent again once.
-- KEYS: job, running    ARGV: lease seconds
local time = redis.call('TIME')
local limit = time[1] + time[2] / 1e6 - ARGV[1]
local lost = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', limit)
if #lost > 0 then
  redis.call('HSET', KEYS[1], 'chord_broken', 1)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', limit)
end
return lost
