#!lua
-- Replace a job's plots by those with later names; 0 if they are of other findings or too late.
-- KEYS: job, outdated, plots    ARGV: job id, token of findings, number of names; name, PNG…
local job = redis.call('HMGET', KEYS[1], 'state', 'findings_token', 'names_revision', 'plots_revision')
if job[1] ~= 'finished' or job[2] ~= ARGV[2] then return 0 end
local drawn = tonumber(ARGV[3])
if drawn < tonumber(job[4] or 0) then return 0 end
for i = 4, #ARGV, 2 do redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1]) end
local expires_at = redis.call('PEXPIRETIME', KEYS[1])
if expires_at > 0 then redis.call('PEXPIREAT', KEYS[3], expires_at) end
redis.call('HSET', KEYS[1], 'plots_revision', drawn)
redis.call('HDEL', KEYS[1], 'plots_attempts')
if drawn >= tonumber(job[3] or 0) then redis.call('SREM', KEYS[2], ARGV[1]) end
return 1
