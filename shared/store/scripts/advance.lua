#!lua flags=allow-oom
-- Leave a leased state: switches state and pointers in one step; 0 if the lease was lost.
-- KEYS: job, lease, counts
-- ARGV: token, state while at work, next state, what to add to counts of all jobs as JSON, field,
-- value…
local held = redis.call('HMGET', KEYS[1], 'fence', 'state')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
redis.call('HSET', KEYS[1], 'state', ARGV[3], 'active_at', now)
-- Not call: a damaged count must not keep a job where it is.
if ARGV[3] == 'finished' or ARGV[3] == 'failed' then
  redis.call('HSET', KEYS[1], 'finished_at', now)
  redis.pcall('HINCRBY', KEYS[3], 'ended:' .. ARGV[3], 1)
end
for name, number in pairs(cjson.decode(ARGV[4])) do
  redis.pcall('HINCRBY', KEYS[3], name, number)
end
for i = 5, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
-- The next wave has a chord of its own.
redis.call('HDEL', KEYS[1], 'chord_broken')
redis.call('DEL', KEYS[2])
return 1
