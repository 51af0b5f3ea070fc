-- uses: thread
-- Make a thread what another one was when it was dumped. Its own content is replaced, so a replay changes nothing.
-- A server that refuses RESTORE refuses the first: what the thread had before is removed only after the last.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] registry member  [2..] suffix, DUMP, suffix, DUMP...
-- Returns the thread's user (escaped, '' = none)
local held, restored = {[events .. ':seen'] = true}, {}
local function note(key) held[key] = true end
each_key(note)
for i = 2, #ARGV, 2 do
  local key = thread .. ARGV[i]
  redis.call('RESTORE', key, 0, ARGV[i + 1], 'REPLACE')
  restored[key] = true
end
each_key(note) -- of the copy's namespaces too: a server that evicts may have taken the list of those that were there
for key in pairs(held) do
  if not restored[key] then redis.call('UNLINK', key) end
end
local state = state_of()
state.at = '0' -- the restored keys have no expiry yet
expire(state, tonumber(state.ttl or ''))
register(ARGV[1], state, state.user or '', false)
return state.user or ''
