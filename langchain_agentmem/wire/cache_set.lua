-- Keep what nodes of one namespace wrote.
-- KEYS[1] P:T:cache:{L:L}, the ZSET of the namespace's keys by expiry; KEYS[2...] P:T:cache:{L:L}:K, a STRING for each
-- ARGV[2n - 1], ARGV[2n] for KEYS[n + 1]: what was written, ms until it expires ('' is never)
-- Returns 1.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for n = 1, #KEYS - 1 do
  local key, ttl = KEYS[n + 1], ARGV[2 * n]
  if ttl == '' then
    redis.call('SET', key, ARGV[2 * n - 1])
    redis.call('ZADD', KEYS[1], '+inf', key)
  else
    redis.call('SET', key, ARGV[2 * n - 1], 'PX', ttl)
    redis.call('ZADD', KEYS[1], string.format('%.0f', now + ttl), key)
  end
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local longest = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
if longest == 'inf' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIREAT', KEYS[1], longest) end
return 1
