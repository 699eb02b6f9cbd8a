#!lua flags=allow-oom
-- Note why an attempt at a batch failed; one that Redis was to blame for does not count.
-- KEYS: job, running, attempts, errors, counts    ARGV: wave, batch, error or nothing
if redis.call('HGET', KEYS[1], 'state') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'chord_broken', 1)
if ARGV[3] == '' then
  -- Its lease runs out meanwhile, so that it is not tried again at once.
  redis.call('HINCRBY', KEYS[3], ARGV[2], -1)
else
  redis.call('HSET', KEYS[4], ARGV[2], ARGV[3])
  redis.call('ZADD', KEYS[2], 'XX', 0, ARGV[2])
  redis.pcall('HINCRBY', KEYS[5], 'attempts:' .. ARGV[1] .. ':failed', 1)
end
return 1
