-- Append a batch of events to a stream, once.
-- KEYS[1] the stream  [2] the batches it has lately been given: a ZSET of tokens by time
-- KEYS[3] the thread's registry HASH (field `at`: when the thread expires, ms); absent for a stream that is no thread's
-- ARGV[1] the batch's token, made by the client  [2] how many events the stream keeps, about
-- ARGV[3] ms for which a token is remembered  [4] ms that events of a thread without a registry are kept
-- ARGV[5..] the events
-- Returns the number of events appended: 0 for a batch that is there already
local stream, seen, thread = KEYS[1], KEYS[2], KEYS[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

if redis.call('ZSCORE', seen, ARGV[1]) then return 0 end

for i = 5, #ARGV do
  redis.call('XADD', stream, 'MAXLEN', '~', ARGV[2], '*', 'event', ARGV[i])
end
-- Noted last: what failed half-way, as on a key of another type, is not taken for done.
redis.call('ZADD', seen, string.format('%.0f', now), ARGV[1])
redis.call('ZREMRANGEBYSCORE', seen, '-inf', string.format('(%.0f', now - ARGV[3]))
redis.call('PEXPIRE', seen, ARGV[3])

if thread then
  local at = redis.call('HGET', thread, 'at')
  if at and tonumber(at) > now then
    redis.call('PEXPIREAT', stream, at)
  elseif redis.call('EXISTS', thread) == 1 then
    redis.call('PERSIST', stream)
  else
    redis.call('PEXPIRE', stream, ARGV[4])
  end
end
return #ARGV - 4
