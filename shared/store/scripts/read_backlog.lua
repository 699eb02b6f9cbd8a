#!lua flags=no-writes
-- Add up what waits and what runs: returns batches that wait, that run, callbacks that wait, that
-- run, and the longest time in seconds, as text, for which nobody has worked on an active job.
-- KEYS: active jobs of each protocol…, lists of messages of callbacks…
-- ARGV: with %s for the id of a job: its hash, its lease, the batches of each wave that run; then
--   the number of protocols
local RUNNING = {queued = 3, loading = 3, labelling = 4}
local time = redis.call('TIME')
local now = time[1] + time[2] / 1e6
local waiting, running, callbacks, leased, idle = 0, 0, 0, 0, 0
local function ask(command, pattern, id, ...)
  -- Not call: a damaged job must not hide the others.
  local reply = redis.pcall(command, (string.gsub(ARGV[pattern], '%%s', id)), ...)
  return not (type(reply) == 'table' and reply.err) and reply
end
local function add(id)
  local state, active_at, batches, loaded, labelled =
    unpack(ask('HMGET', 1, id, 'state', 'active_at', 'batches', 'loading_done', 'labelling_done') or {})
  local at_work = 0
  if RUNNING[state] then
    local done = state == 'labelling' and labelled or state ~= 'labelling' and loaded
    local left = (tonumber(batches) or 0) - (tonumber(done or 0) or 0)
    if state ~= 'queued' then
      at_work = math.min(ask('ZCOUNT', RUNNING[state], id, now, '+inf') or 0, math.max(left, 0))
    end
    running = running + at_work
    waiting = waiting + math.max(left, 0) - at_work
    if left <= 0 then callbacks = callbacks + 1 end
  elseif state == 'fitting' or state == 'finishing' then
    at_work = ask('EXISTS', 2, id) or 0
    leased = leased + at_work
    callbacks = callbacks + 1 - at_work
  else
    return -- it has ended, or it is gone
  end
  if at_work == 0 then idle = math.max(idle, now - (tonumber(active_at) or now)) end
end
local n_protocols = tonumber(ARGV[5])
for i = 1, n_protocols do
  for _, id in ipairs(redis.call('ZRANGE', KEYS[i], 0, -1)) do add(id) end
end
-- Searches and plots are messages alone.
local messages = 0
for i = n_protocols + 1, #KEYS do messages = messages + redis.call('LLEN', KEYS[i]) end
return {waiting, running, math.max(callbacks, messages), leased, tostring(idle)}
