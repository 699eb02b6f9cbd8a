#!lua
-- Claim something for a while: 1, or 0 if another process has claimed it.
-- KEYS: claim    ARGV: milliseconds
if redis.call('SET', KEYS[1], 1, 'NX', 'PX', ARGV[1]) then return 1 end
-- A server whose clock was set back would keep the claim for as long again.
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[1]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return 0
