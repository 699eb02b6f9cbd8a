-- Give keys of an ended job a time to live; 0 if it goes on again (see retry).
-- KEYS: job, keys…    ARGV: milliseconds, time of expiry to note or nothing
local state = redis.call('HGET', KEYS[1], 'state')
if state ~= 'finished' and state ~= 'failed' and state ~= 'cancelled' then return 0 end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'expires_at', ARGV[2]) end
for i = 2, #KEYS do redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
return 1
