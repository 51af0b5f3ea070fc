-- uses: memory
-- Delete an item, with all it was and the fact it stands for.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- Returns 1 if there was one, else 0.
local stands_for = redis.call('HGET', item, 's')
local fact = stands_for and read_fact(stands_for)
if fact and fact.from == member then
  redis.call('HDEL', facts, stands_for)
  redis.call('HDEL', known, '!' .. stands_for)
  for i = 1, fact.version do redis.call('DEL', facts .. ':' .. stands_for .. ':' .. i) end
end
local versions = redis.call('HGET', known, '#' .. member)
if versions then
  for _, key in ipairs(beside(member, 'v', versions)) do redis.call('DEL', key) end
  redis.call('HDEL', known, '#' .. member)
end
local found = clear(member)
redis.call('ZREM', items, member)
register()
return (found or versions) and 1 or 0
