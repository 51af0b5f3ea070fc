-- Pin a memory, or let it go again.
-- KEYS[1] the memory's HASH
-- ARGV[1] '1' to pin it, '' to let it go
-- Returns 1 if there is such a memory, else 0.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if ARGV[1] == '1' then redis.call('HSET', KEYS[1], 'p', 1) else redis.call('HDEL', KEYS[1], 'p') end
return 1
