-- uses: memory
-- Make what a memory was before its last change its present again. What it is now becomes part of its past.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] ttl in ms of what is superseded  [4] the version to undo
-- Returns the new version; 0 when there is nothing before it, or it is not the version any more.
local version = tonumber(redis.call('HGET', known, '#' .. member) or 0)
local present = redis.call('EXISTS', item) == 1
if present then version = version_of(member) end
local before = item .. ':v' .. (present and version - 1 or version)
if version ~= tonumber(ARGV[4]) or redis.call('EXISTS', before) == 0 then return 0 end
if present then retire(member, ARGV[3]) end

local own, words, pairs_of = {}, {}, redis.call('HGETALL', before)
for i = 1, #pairs_of, 2 do own[pairs_of[i]] = pairs_of[i + 1] end
local tags = {}
for digest in string.gmatch(own.n, 'h(%w+)') do tags[#tags + 1] = 'l' .. digest end
tags[#tags + 1] = 'e' .. string.sub(tags[#tags], 2)
own.n, own.b, own.a, own.u, own.z, own.Z = table.concat(tags, ','), version + 1, whole(now), whole(now), own.Z, nil
if own.z == '' then own.z = nil end
for field, value in pairs(own) do
  words[#words + 1] = field
  words[#words + 1] = value
end
redis.call('HSET', item, unpack(words))
if own.i then redis.call('HSET', known, own.i, member) end
if own.s then set_fact(own.s, member, own.m or 'null', ARGV[3]) end
expire(member, '', 0)
return version + 1
