#!lua flags=no-writes
-- Count the jobs that have not expired: returns each state with its number.
-- KEYS: jobs    ARGV: name of a job's hash, with %s for its id
local numbers, flat = {}, {}
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  -- Not call: a damaged job must not hide the others.
  local state = redis.pcall('HGET', (string.gsub(ARGV[1], '%%s', id)), 'state')
  if type(state) == 'string' then numbers[state] = (numbers[state] or 0) + 1 end
end
for state, number in pairs(numbers) do
  flat[#flat + 1] = state
  flat[#flat + 1] = number
end
return flat
