-- uses: memory
-- Keep a fact with what it was, as an export tells it. One that is there already stays as it is.
-- KEYS and ARGV[2] as in item.lua; KEYS[1] and ARGV[1] of no item
-- ARGV[3] fact  [4] its text, see memory.lua, '' = it was deleted  [5] ttl in ms of its past
-- ARGV[6] when it was last said what it is, or that it is not, in microseconds, '' = unknown  [7] in which thread
-- ARGV[8..] what it was: version, text...
-- Returns 1, or 0 where there is such a fact, or was.
local name, text, ttl = ARGV[3], ARGV[4], ARGV[5]
local last_said = ARGV[6] ~= '' and math.min(tonumber(ARGV[6]), now) or nil -- whatever the clock there said
if redis.call('HEXISTS', facts, name) == 1 or redis.call('HEXISTS', known, '!' .. name) == 1 then return 0 end
if text ~= '' then redis.call('HSET', facts, name, text) end
local last = 0
for i = 8, #ARGV, 2 do
  redis.call('SET', facts .. ':' .. name .. ':' .. ARGV[i], ARGV[i + 1], 'PX', ttl)
  last = math.max(last, tonumber(ARGV[i]))
end
if last > 0 or last_said then
  note(name, last, last_said, ARGV[7])
  keep_known(ttl)
end
return 1
