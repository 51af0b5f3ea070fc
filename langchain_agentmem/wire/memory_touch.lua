-- uses: item
-- Note that a memory was used.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] when, in microseconds  [4] how many times to keep  [5] microseconds within which two uses count as one
local used = redis.call('HMGET', item, 'v', 'r', 'y', 'l', 'e', 'q')
if used[1] and tonumber(ARGV[3]) - tonumber(used[2] or 0) > tonumber(ARGV[5]) then
  local times, count = ARGV[3], 1
  for time in string.gmatch(used[3] or '', '%d+') do
    if count < tonumber(ARGV[4]) then times, count = times .. ' ' .. time, count + 1 end
  end
  redis.call('HSET', item, 'q', (used[6] or 0) + 1, 'r', ARGV[3], 'y', times)
  if used[4] then expire(member, used[4], used[5]) end
end
