#!lua flags=allow-oom
-- Take the batches whose lease has run out, so that they are sent again once.
-- KEYS: job, running
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local lost = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now)
if #lost > 0 then
  redis.call('HSET', KEYS[1], 'chord_broken', 1)
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
end
return lost
