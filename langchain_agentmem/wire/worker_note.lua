-- Note how a worker is doing, by the server's clock. What workers said that have been silent for too long is dropped.
-- KEYS[1] the HASH of what workers say
-- ARGV[1] the worker's name  [2] how it is doing, '' = it has ended  [3] ms of silence after which a worker is dropped
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local said = redis.call('HGETALL', KEYS[1])
for i = 1, #said, 2 do
  if now - tonumber(said[i + 1]:match('^%d+')) > tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], said[i]) end
end
if ARGV[2] == '' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f ', now) .. ARGV[2])
end
return redis.status_reply('OK')
