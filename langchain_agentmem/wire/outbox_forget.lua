-- uses: outbox
-- Forget turns of a thread, waiting or kept as context. Who is promoting some of them holds the thread no longer.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] the scope whose turns go, as L:L; '' = all, and what else is known of the thread. Of a scope it is
--   still known that they were taken: else they would be caught up on, in the next turn of whoever shares the thread
-- Returns how many of them waited, and the job that a worker was at, '' = none.
local thread, path = ARGV[2], ARGV[3]
local turns, state = turns_of(thread), state_of(thread)
local scope = stem .. ':scope:' .. path
local function goes(entry) return path == '' or scope_of(field(entry, 'recipe')) == scope end

number_waiting(thread) -- without those that were evicted
local before = waiting(thread, '+')
local held = redis.call('HMGET', state, 'job', 'until')
local concerned = before[1] == nil or goes(before[1]) -- a batch has one scope and starts with the first that waits
local scopes, left = {[scope] = true}, 0
for _, entry in ipairs(redis.call('XRANGE', turns, '-', '+')) do
  if goes(entry) then
    redis.call('XDEL', turns, entry[1])
    scopes[scope_of(field(entry, 'recipe'))] = true
  else
    left = left + 1
  end
end
for key in pairs(scopes) do redis.call('SREM', key, thread) end

local after = #waiting(thread, '+')
count('waiting', after - #before)
if concerned and held[1] and not held[2] then drop(held[1]) end -- else its worker does, when it finds that it lost it
if concerned then redis.call('ZREM', due, thread) end
if path == '' then
  redis.call('UNLINK', turns, state, ids_of(thread))
elseif redis.call('EXISTS', state) == 1 then
  if left == 0 then redis.call('UNLINK', turns) else write_anew(turns) end
  redis.call('HSET', state, 'waiting', after)
  local known = redis.call('HGETALL', state)
  for i = 1, #known, 2 do -- whose turn the last was
    local name, number, whose = known[i], string.match(known[i + 1], '^(%d+) (.*)$')
    if name == 'whose' and known[i + 1] == path then redis.call('HSET', state, name, '') end
    if string.find(name, '^mark:') and whose == path then redis.call('HSET', state, name, number .. ' ') end
    if string.find(name, 'own:' .. path .. ' ', 1, true) == 1 then redis.call('HDEL', state, name) end
  end
  if concerned then
    redis.call('HDEL', state, 'job', 'owner', 'until', 'plan', 'upto', 'attempts', 'alone', 'held')
    if after > 0 then debounce(thread, after, newest_of(thread)) else expire(thread) end
  end
end
return {#before - after, concerned and held[2] and held[1] or ''}
