-- uses: thread
-- Make a thread what another one was when it was dumped. Its own content is replaced, so a replay changes nothing.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] registry member  [2..] suffix, DUMP, suffix, DUMP...
-- Returns the thread's user (escaped, '' = none)
forget_thread()
for i = 2, #ARGV, 2 do redis.call('RESTORE', thread .. ARGV[i], 0, ARGV[i + 1], 'REPLACE') end
local state = state_of()
state.at = '0' -- the restored keys have no expiry yet
expire(state, tonumber(state.ttl or ''))
register(ARGV[1], state, state.user or '', false)
return state.user or ''
