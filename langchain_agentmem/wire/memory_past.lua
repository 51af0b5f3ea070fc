-- uses: memory
-- Keep what a memory was, as an export tells it. What is there already stays as it is.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] version  [4] ttl in ms  [5..] the hash, with the tags of what is present: field, value...
-- Returns 1, or 0 where the memory is there, or that version of it.
local past = item .. ':v' .. ARGV[3]
if there(member) or redis.call('EXISTS', past) == 1 then return 0 end
local own = {}
for i = 5, #ARGV, 2 do own[ARGV[i]] = ARGV[i + 1] end
own.n = turned(own.n, PAST)
write_hash(past, own)
redis.call('PEXPIRE', past, ARGV[4])
redis.call('HSET', known, '#' .. member, math.max(past_of(member), tonumber(ARGV[3])))
keep_known(ARGV[4])
return 1
