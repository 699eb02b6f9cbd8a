#!lua flags=allow-oom
-- Add to the time that a kind of work took; a job that has expired must not come back by it.
-- KEYS: job    ARGV: state, seconds
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HINCRBYFLOAT', KEYS[1], ARGV[1] .. '_seconds', ARGV[2])
redis.call('HINCRBY', KEYS[1], ARGV[1] .. '_timed', 1)
return 1
