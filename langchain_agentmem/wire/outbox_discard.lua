-- uses: outbox
-- Delete dead letters. A stream keeps the bytes of deleted entries for as long as others lie beside them, so it is
-- written anew.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2..] ids of the letters
-- Returns how many there were.
local gone = 0
for i = 2, #ARGV do gone = gone + redis.call('XDEL', dead, ARGV[i]) end
if gone > 0 then write_anew(dead) end
return gone
