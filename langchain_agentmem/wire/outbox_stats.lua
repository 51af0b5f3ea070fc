-- uses: outbox
-- What waits, and for how long.
-- KEYS[1], ARGV[1] as in outbox.lua
-- Returns threads that wait until they are due, threads that are due and wait for a worker, threads that a worker has,
-- ms for which the one that is due longest has waited, dead letters
local function fields_of(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

local since, running = now, 0
local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
if first[2] then since = math.min(since, tonumber(first[2])) end
if redis.call('EXISTS', jobs) == 1 then
  local group = fields_of(redis.call('XINFO', 'GROUPS', jobs)[1])
  local next_job = redis.call('XRANGE', jobs, '(' .. group['last-delivered-id'], '+', 'COUNT', 1)[1]
  if next_job then since = math.min(since, ms_of(next_job[1])) end
  running = group.pending
end
return {redis.call('ZCARD', due), redis.call('XLEN', jobs) - running, running, now - since, redis.call('XLEN', dead)}
