-- uses: item
-- Delete an item, with all it was and the fact it stands for.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- Returns 1 if there was one, else 0.
local said = redis.call('HMGET', item, 'b', 's')
local found = clear()
if said[1] then redis.call('DEL', item, unpack(beside('v', said[1]))) end
redis.call('ZREM', items, member)
register()
return found and 1 or 0
