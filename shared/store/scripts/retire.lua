#!lua flags=allow-oom
-- Look after a job no longer; 0 if it lives, as one does that was retried meanwhile.
-- KEYS: job, active    ARGV: job id
local state = redis.call('HGET', KEYS[1], 'state')
if state and state ~= 'finished' and state ~= 'failed' and state ~= 'cancelled' then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
