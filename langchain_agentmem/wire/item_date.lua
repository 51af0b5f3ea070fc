-- Give an item the times that it had in another store, if it is still there.
-- KEYS[1] the HASH of the item
-- ARGV[1] when it was created  [2] when it was last changed, in microseconds
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'c', ARGV[1], 'w', ARGV[1], 'u', ARGV[2], 'a', ARGV[2])
end
return redis.status_reply('OK')
