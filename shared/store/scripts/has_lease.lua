#!lua flags=allow-oom
-- Return 1 while a process has the lease to fit or finish.
-- KEYS: lease    ARGV: lease milliseconds, milliseconds by which settings may differ
local left = redis.call('PTTL', KEYS[1])
-- Its holder renews it every second. One that is left for much longer than a lease was given before
-- the server's clock was set back.
if left > ARGV[1] + ARGV[2] then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return left == -2 and 0 or 1
