-- uses: thread
-- Remove a thread: every namespace, checkpoint and write.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] registry member
-- Returns 1, for the thread is gone, and its user (escaped, '' = none)
local user = redis.call('HGET', thread, 'user') or ''
forget_thread()
unregister(ARGV[1], user)
return {1, user}
