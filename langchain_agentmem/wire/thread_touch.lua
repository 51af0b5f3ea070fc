-- uses: thread
-- Move a thread's expiry on, or change what it is.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] 'read': count on from now by the ttl it has | 'pin': never expire | 'unpin': expire again by the ttl it has
-- Returns 1, or 0 when there is no such thread
if redis.call('EXISTS', thread) == 0 then return 0 end
if ARGV[1] == 'pin' then redis.call('HSET', thread, 'pin', '1') end
if ARGV[1] == 'unpin' then redis.call('HDEL', thread, 'pin') end
refresh()
return 1
