#!lua flags=allow-oom
-- Cancel a job unless it has ended: returns the state it is in now.
-- KEYS: job, lease, counts
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return false end
if state == 'finished' or state == 'failed' or state == 'cancelled' then return state end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'state', 'cancelled', 'finished_at', time[1] + time[2] / 1e6)
redis.call('DEL', KEYS[2])
redis.pcall('HINCRBY', KEYS[3], 'ended:cancelled', 1)
return 'cancelled'
