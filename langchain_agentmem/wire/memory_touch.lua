-- uses: item
-- Note that memories of a namespace were used.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua, for any of them
-- ARGV[3] how many times to keep  [4] microseconds within which two uses count as one
-- ARGV[5], [6], ... the member of each, and when it was used, in microseconds
local kept, interval = tonumber(ARGV[3]), tonumber(ARGV[4])

local function touch(name, when)
  local used = redis.call('HMGET', stem .. name, 'v', 'r', 'y', 'l', 'e', 'q')
  if not used[1] or tonumber(when) - tonumber(used[2] or 0) <= interval then return end
  local times, count = when, 1
  for time in string.gmatch(used[3] or '', '%S+') do
    if count < kept then times, count = times .. ' ' .. time, count + 1 end
  end
  redis.call('HSET', stem .. name, 'q', (used[6] or 0) + 1, 'r', when, 'y', times)
  if used[4] then expire(name, used[4], used[5]) end
end

for place = 5, #ARGV, 2 do touch(ARGV[place], ARGV[place + 1]) end
