-- uses: session
-- Add a line to the scratchpad.
-- KEYS[1] session, KEYS[2] P:T:session:{I}:done:O
-- ARGV[1] ttl, ARGV[2] user, ARGV[3] the line
-- Returns the bytes of the scratchpad.
local before = redis.call('GET', KEYS[2])
if before then return tonumber(before) end
local pad = redis.call('HGET', session, 'scratchpad')
pad = pad and (pad .. '\n' .. ARGV[3]) or ARGV[3]
redis.call('HSET', session, 'scratchpad', pad)
sign()
return remember(KEYS[2], #pad)
