-- uses: outbox
-- Delete dead letters, so that nothing of them is left.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2..] ids of the letters
-- Returns how many there were.
local gone = 0
for i = 2, #ARGV do gone = gone + redis.call('XDEL', dead, ARGV[i]) end
if gone > 0 then write_anew(dead) end
return gone
