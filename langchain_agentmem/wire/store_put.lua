-- Store items, whole: what each was is gone, except when it was created and how it was used.
-- It stands alone and defines no function, because in a script that costs as much as a command.
-- KEYS[3i - 2] the HASH of item i  [3i - 1] the ZSET of its namespace's items, by expiry  [3i] the HASH of what is known there
-- KEYS[last] the ZSET of all namespaces, by expiry, where one server holds all
-- ARGV[1] as msgpack, for each item: its member in its ZSET, its namespace's member in the last, ttl in ms ('' = never),
-- its hash, then one for each further vector; a hash is a list of field, value...
local clock = redis.call('TIME')
local moment = clock[1] * 1000000 + clock[2] -- microseconds; a double holds them exactly
local now_ms = math.floor(moment / 1000)
local kept = {'q', 'r', 'y', 'p', 'b'}
local namespaces = #KEYS % 3 == 1 and KEYS[#KEYS]

for i, put in ipairs(cmsgpack.unpack(ARGV[1])) do
  local item, items, known = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local member, ttl, own = put[1], put[3], put[4]
  local now = string.format('%.0f', moment + i) -- each is newer than those before it
  local old = redis.call('HMGET', item, 'c', 'i', 'e', unpack(kept))
  local created, size = old[1] or now, #own
  own[size + 1], own[size + 2], own[size + 3], own[size + 4] = 'u', now, 'a', now
  own[size + 5], own[size + 6], own[size + 7], own[size + 8] = 'c', created, 'w', created
  if old[1] then
    for at, field in ipairs(kept) do
      if old[at + 3] then own[#own + 1], own[#own + 2] = field, old[at + 3] end
    end
    if old[2] and redis.call('HGET', known, old[2]) == member then redis.call('HDEL', known, old[2]) end
    for at = 1, old[3] or 0 do redis.call('DEL', item .. ':x' .. at) end
    redis.call('DEL', item)
  end
  redis.call('HSET', item, unpack(own))
  for at = 5, #put do redis.call('HSET', item .. ':x' .. at - 4, unpack(put[at])) end

  local last = 'inf' -- the ZSET, and the entry of the namespace, live as long as the item that lives longest
  if ttl == '' then
    redis.call('ZADD', items, last, member)
  else
    redis.call('PEXPIRE', item, ttl)
    for at = 5, #put do redis.call('PEXPIRE', item .. ':x' .. at - 4, ttl) end
    redis.call('ZADD', items, string.format('%.0f', now_ms + ttl), member)
    redis.call('ZREMRANGEBYSCORE', items, '-inf', now_ms)
    last = redis.call('ZREVRANGE', items, 0, 0, 'WITHSCORES')[2]
  end
  for _, key in ipairs({items, known}) do
    if last == 'inf' then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, last) end
  end
  if namespaces then redis.call('ZADD', namespaces, last, put[2]) end
end
