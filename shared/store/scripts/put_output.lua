-- Store what a lease's holder made; not once the job has ended, or it would never expire.
-- KEYS: job, string, hash    ARGV: value, field, value…
local state = redis.call('HGET', KEYS[1], 'state')
if not state or state == 'finished' or state == 'failed' or state == 'cancelled' then return 0 end
redis.call('SET', KEYS[2], ARGV[1])
for i = 2, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
return 1
