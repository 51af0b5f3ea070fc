-- What the scripts over an item of the long-term store share.
-- KEYS[1] the item's HASH  [2] the ZSET of its namespace's items, by expiry  [3] the HASH of what is known there
-- KEYS[4] the HASH of facts there  [5] the ZSET of all namespaces, by expiry, where one server
-- holds all; beside it lies the same by name, ':names'
-- ARGV[1] the item's member in KEYS[2]  [2] the namespace's member in KEYS[5]
local item, items, known, facts, namespaces = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local member, namespace = ARGV[1], ARGV[2]
local stem = string.sub(item, 1, #item - #member) -- what the keys of all items of the namespace begin with
local gone = string.gsub(item, '^([^:]*:[^:]*):item:', '%1:gone:') -- where it lies when it was forgotten
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2] -- microseconds; a double holds them exactly
local now_ms = math.floor(now / 1000)

local function whole(number) return string.format('%.0f', number) end

-- Enter the namespace among all, by expiry and by name.
local function enlist(last)
  if redis.call('ZADD', namespaces, 'CH', last, namespace) == 1 then
    redis.call('ZADD', namespaces .. ':names', 0, namespace)
  end
end

-- The ZSET of items and the entry of the namespace live as long as the item that lives longest; what is known there
-- lives as long as what it says of the past, too ('~', in ms).
local function register()
  redis.call('ZREMRANGEBYSCORE', items, '-inf', now_ms)
  local last = redis.call('ZREVRANGE', items, 0, 0, 'WITHSCORES')[2]
  if last == 'inf' then
    redis.call('PERSIST', items)
    redis.call('PERSIST', known)
  else
    local past = tonumber(redis.call('HGET', known, '~') or 0)
    if last then redis.call('PEXPIREAT', items, last) end
    if last or past > 0 then redis.call('PEXPIREAT', known, whole(math.max(last or 0, past))) end
  end
  if namespaces and last then
    enlist(last)
  elseif namespaces then
    redis.call('ZREM', namespaces, namespace)
    redis.call('ZREM', namespaces .. ':names', namespace)
  end
end

-- Hashes that lie beside an item: its further vectors ('x'), what it was ('v').
local function beside(name, kind, count)
  local keys = {}
  for i = 1, tonumber(count or 0) do keys[i] = stem .. name .. ':' .. kind .. i end
  return keys
end

-- Start an item's time to live, in milliseconds, anew; '' or nil: it never expires, nor does what lists it. What is
-- pinned does not expire either.
local function expire(name, ttl, vectors)
  if not ttl or ttl == '' or redis.call('HEXISTS', stem .. name, 'p') == 1 then
    redis.call('ZADD', items, 'inf', name)
    redis.call('PERSIST', items)
    redis.call('PERSIST', known)
    if namespaces then enlist('inf') end
    return
  end
  redis.call('PEXPIRE', stem .. name, ttl)
  for _, key in ipairs(beside(name, 'x', vectors)) do redis.call('PEXPIRE', key, ttl) end
  redis.call('ZADD', items, whole(now_ms + ttl), name)
  register()
end

-- It says something else now: the identity that is known by its name is not it any more.
local function unlearn(name)
  local identity = redis.call('HGET', stem .. name, 'i')
  if identity and redis.call('HGET', known, identity) == name then redis.call('HDEL', known, identity) end
end
