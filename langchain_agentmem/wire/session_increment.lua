-- uses: session
-- Add to a number in the data.
-- KEYS[1] session, KEYS[2] P:T:session:{I}:done:O
-- ARGV[1] ttl, ARGV[2] user, ARGV[3] the field, ARGV[4] the number to add
-- ARGV[5...] the fields above it, which may hold nothing but an empty dict
-- Returns the sum as text; false when something else than a number is there or above it, and then nothing is changed.
local before = redis.call('GET', KEYS[2])
if before then return before end
local field, by = ARGV[3], ARGV[4]
local old = redis.call('HGET', session, field)
for i = 5, #ARGV do
  if (redis.call('HGET', session, ARGV[i]) or '{}') ~= '{}' then return false end
end
if not old and #below(field) > 0 then return false end
old = old or '0'
local whole = '^-?%d+$'
local sum
if string.find(old, whole) and string.find(by, whole) then
  sum = redis.pcall('HINCRBY', session, field, by)
else
  sum = redis.pcall('HINCRBYFLOAT', session, field, by)
end
if type(sum) == 'table' then return false end
sum = redis.call('HGET', session, field)
if not (string.find(old, whole) and string.find(by, whole)) and string.find(sum, whole) then
  sum = sum .. '.0' -- a float stays one
  redis.call('HSET', session, field, sum)
end
sign()
return remember(KEYS[2], sum)
