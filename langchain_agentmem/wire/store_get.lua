-- uses: item
-- Read fields of an item; reading is use, so the time to live of an item that has one starts anew.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3..] fields; none: only start the time anew
-- Returns the values in order, nil where there is none.
local values = ARGV[3] and redis.call('HMGET', item, unpack(ARGV, 3)) or {}
local kept = redis.call('HMGET', item, 'l', 'e')
if kept[1] then expire(member, kept[1], kept[2]) end
return values
