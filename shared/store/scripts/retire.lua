#!lua flags=allow-oom
-- Look after a job no longer; 0 if it lives, as one does that was retried meanwhile.
-- KEYS: job, active jobs of each protocol…    ARGV: job id
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'finished' and state ~= 'failed' and state ~= 'cancelled' then return 0 end
for i = 2, #KEYS do redis.call('ZREM', KEYS[i], ARGV[1]) end
return 1
