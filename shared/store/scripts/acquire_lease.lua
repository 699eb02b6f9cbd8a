-- Take the lease to fit or finish: returns {token, attempt}, or why not to.
-- KEYS: job, lease    ARGV: wave, state while at work, lease milliseconds
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return 'unknown' end
if state ~= ARGV[1] and state ~= ARGV[2] then return 'stale' end
local done = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. '_done') or 0)
if done < tonumber(redis.call('HGET', KEYS[1], 'batches')) then
  -- This trigger came early, and it will not come again.
  redis.call('HSET', KEYS[1], 'chord_broken', 1)
  return 'incomplete'
end
if redis.call('EXISTS', KEYS[2]) == 1 then return 'held' end
local token = redis.call('HINCRBY', KEYS[1], 'fence', 1)
redis.call('SET', KEYS[2], token, 'PX', ARGV[3])
redis.call('HSET', KEYS[1], 'state', ARGV[2])
return {token, redis.call('HINCRBY', KEYS[1], ARGV[2] .. '_attempts', 1)}
