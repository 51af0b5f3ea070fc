-- Note something that expires in a registry, and drop from it what has expired.
-- KEYS[1] the registry, a ZSET by the ms of expiry: P:T:sessions or P:T:sessions:U
-- ARGV[1] the member; ARGV[2] ms until it expires, '' is never
-- Returns 1.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local expiry = ARGV[2] == '' and '+inf' or string.format('%.0f', now + ARGV[2])
redis.call('ZADD', KEYS[1], expiry, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local longest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if longest == 'inf' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], longest) end
return 1
