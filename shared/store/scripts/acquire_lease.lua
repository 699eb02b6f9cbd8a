-- Take the lease to fit or finish: returns the number of the attempt, or why not to.
-- KEYS: job, lease    ARGV: wave, state while at work, lease milliseconds, new token,
--   newest protocol that the caller knows
if tonumber(redis.call('HGET', KEYS[1], 'protocol') or 1) > tonumber(ARGV[5]) then
  return 'of a newer version'
end
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
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[3])
-- All of them: what was written under a token must expire, whoever counted.
local tokens = redis.call('HGET', KEYS[1], 'tokens')
tokens = tokens and tokens .. ' ' .. ARGV[4] or ARGV[4]
redis.call('HSET', KEYS[1], 'state', ARGV[2], 'fence', ARGV[4], 'tokens', tokens)
return redis.call('HINCRBY', KEYS[1], ARGV[2] .. '_attempts', 1)
