-- uses: item
-- Pin a memory, so that it does not expire, or let it go again.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] '1' to pin it, '' to let it go
-- Returns 1 if there is such a memory, else 0.
if redis.call('EXISTS', item) == 0 then return 0 end
if ARGV[3] == '1' then redis.call('HSET', item, 'p', 1) else redis.call('HDEL', item, 'p') end
local lives = redis.call('HMGET', item, 'l', 'e')
if lives[1] then
  redis.call('PERSIST', item)
  for _, vector in ipairs(beside(member, 'x', lives[2])) do redis.call('PERSIST', vector) end
  expire(member, lives[1], lives[2])
end
return 1
