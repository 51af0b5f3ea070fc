-- List the namespaces that have an item which is not expired.
-- KEYS[1] the ZSET of namespaces, by expiry
-- Returns their members.
local clock = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', clock[1] * 1000 + math.floor(clock[2] / 1000))
return redis.call('ZRANGE', KEYS[1], 0, -1)
