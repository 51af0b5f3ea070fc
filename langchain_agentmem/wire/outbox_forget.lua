-- uses: outbox
-- Forget turns of a thread, waiting or kept as context. Whoever holds the thread holds it no longer.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] the scope whose turns go, as L:L; '' = all, and what else is known of the thread
-- Returns how many of them waited, and the job that a worker was at, '' = none.
local thread, path = ARGV[2], ARGV[3]
local turns, state = turns_of(thread), state_of(thread)
local held = redis.call('HMGET', state, 'job', 'until')
local before, scopes, left = #waiting(thread, '+'), {}, 0
for _, entry in ipairs(redis.call('XRANGE', turns, '-', '+')) do
  local scope = scope_of(field(entry, 'recipe'))
  if path == '' or scope == stem .. ':scope:' .. path then
    redis.call('XDEL', turns, entry[1])
    scopes[scope] = true
  else
    left = left + 1
  end
end
if path ~= '' then scopes[stem .. ':scope:' .. path] = true end
for scope in pairs(scopes) do redis.call('SREM', scope, thread) end

local after = #waiting(thread, '+')
if held[1] and not held[2] then drop(held[1]) end -- else the worker drops it, when it finds that it lost the thread
redis.call('ZREM', due, thread)
if left == 0 then
  redis.call('UNLINK', turns, state, ids_of(thread))
else
  write_anew(turns)
  redis.call('HDEL', state, 'job', 'owner', 'until', 'plan', 'upto', 'attempts', 'alone', 'held')
  redis.call('HSET', state, 'waiting', after)
  if after > 0 then debounce(thread) else expire(thread) end
end
count('waiting', after - before)
return {before - after, held[2] and held[1] or ''}
