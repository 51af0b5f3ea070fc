-- Forget all that nodes of one namespace wrote.
-- KEYS[1] P:T:cache:{L:L}, the ZSET of the namespace's keys by expiry; its members are in the same slot
-- Returns how many there were.
local keys = redis.call('ZRANGE', KEYS[1], 0, -1)
for _, key in ipairs(keys) do redis.call('UNLINK', key) end
redis.call('UNLINK', KEYS[1])
return #keys
