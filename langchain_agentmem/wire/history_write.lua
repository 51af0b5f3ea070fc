-- Add messages to a chat history, or put them in its place.
-- KEYS[1] P:T:history:{I}, the LIST of messages, KEYS[2] P:T:history:{I}:done:O
-- ARGV[1] ms until it expires, counted from this write; '' is never
-- ARGV[2] how many messages are kept; '' is all
-- ARGV[3] 'add' | 'replace'
-- ARGV[4...] the messages
-- Returns how many there are.
local REPLAY = 120 -- s; redis-py repeats what it could not finish within seconds
local CHUNK = 1000 -- as many arguments as Lua passes on without complaint
local before = redis.call('GET', KEYS[2])
if before then return tonumber(before) end
if ARGV[3] == 'replace' then redis.call('UNLINK', KEYS[1]) end
for i = 4, #ARGV, CHUNK do redis.call('RPUSH', KEYS[1], unpack(ARGV, i, math.min(i + CHUNK - 1, #ARGV))) end
if ARGV[2] ~= '' then redis.call('LTRIM', KEYS[1], -ARGV[2], -1) end
if ARGV[1] == '' then redis.call('PERSIST', KEYS[1]) else redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
local count = redis.call('LLEN', KEYS[1])
redis.call('SET', KEYS[2], count, 'EX', REPLAY)
return count
