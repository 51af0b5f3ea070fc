-- uses: item
-- Store an item, whole: what it was is gone, except when it was created and how it was used.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] ttl in ms, '' = never
-- ARGV[4..] hashes, the item's own first, then one for each further vector: the number of words, then field, value...
-- Returns the time of the write, in microseconds since 1970.
local kept = {'c', 'q', 'r', 'y', 'p', 'b'}
local old = redis.call('HMGET', item, unpack(kept))
if old[1] then clear(member) end

local own = {u = whole(now), a = whole(now), c = whole(now)}
for i = 1, #kept do own[kept[i]] = old[i] or own[kept[i]] end
own.w = own.c

local at, count = 4, 0
while at <= #ARGV do
  local words, last = {}, at + ARGV[at]
  for i = at + 1, last do words[#words + 1] = ARGV[i] end
  if count == 0 then
    for i = 1, #words, 2 do own[words[i]] = nil end
    for field, value in pairs(own) do
      words[#words + 1] = field
      words[#words + 1] = value
    end
  end
  redis.call('HSET', count == 0 and item or item .. ':x' .. count, unpack(words))
  at, count = last + 1, count + 1
end
expire(member, ARGV[3], count - 1)
return whole(now)
