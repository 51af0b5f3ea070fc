-- uses: session
-- Append turns, and let the oldest go where there are more than the window holds.
-- KEYS[1] session, KEYS[2] P:T:session:{I}:done:O
-- ARGV[1] ttl, ARGV[2] user, ARGV[3] the window, ARGV[4] how many turns went before those given in the same call
-- ARGV[5...] the turns
-- Returns the number of the newest turn: how many there ever were.
local before = redis.call('GET', KEYS[2])
if before then return tonumber(before) end
local count = #ARGV - 4
local last = redis.call('HINCRBY', session, 'last', count + ARGV[4])
for i = 1, count do redis.call('HSET', session, 't:' .. string.format('%.0f', last - count + i), ARGV[4 + i]) end
local first = tonumber(redis.call('HGET', session, 'first') or 1)
local oldest = math.max(first, last - ARGV[3] + 1)
local known = last - count - ARGV[4] -- the newest turn before this call
for number = first, math.min(oldest - 1, known) do redis.call('HDEL', session, 't:' .. string.format('%.0f', number)) end
if oldest ~= first then redis.call('HSET', session, 'first', string.format('%.0f', oldest)) end
sign()
return remember(KEYS[2], last)
