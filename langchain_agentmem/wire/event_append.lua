-- Append a batch of events to one or more streams, once.
-- KEYS  for each stream: the stream, and the batches it has lately been given (a ZSET of tokens by time); then, if the
--   first stream is a thread's, the thread's registry HASH (field `at`: when the thread expires, ms)
-- ARGV[1] the batch's token, made by the client  [2] ms for which a token is remembered
-- ARGV[3] ms that events of a thread without a registry are kept  [4] the events: JSON, one a line
-- ARGV[5..] for each stream: how many events it keeps, about
-- Returns the number of streams that the batch was appended to: 0 when it is there already
local token, events, streams = ARGV[1], ARGV[4], math.floor(#KEYS / 2)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function append(stream, seen, limit)
  if redis.call('ZSCORE', seen, token) then return 0 end
  for event in string.gmatch(events, '[^\n]+') do
    redis.call('XADD', stream, 'MAXLEN', '~', limit, '*', 'event', event)
  end
  -- Noted last: what failed half-way, as on a key of another type, is not taken for done.
  redis.call('ZADD', seen, string.format('%.0f', now), token)
  redis.call('ZREMRANGEBYSCORE', seen, '-inf', string.format('(%.0f', now - ARGV[2]))
  redis.call('PEXPIRE', seen, ARGV[2])
  return 1
end

local function expire_with(thread, stream)
  local at = redis.call('HGET', thread, 'at')
  if at and tonumber(at) > now then
    redis.call('PEXPIREAT', stream, at)
  elseif redis.call('EXISTS', thread) == 1 then
    redis.call('PERSIST', stream)
  else
    redis.call('PEXPIRE', stream, ARGV[3])
  end
end

local appended = 0
for i = 1, streams do
  appended = appended + append(KEYS[2 * i - 1], KEYS[2 * i], ARGV[4 + i])
end
if #KEYS > 2 * streams then expire_with(KEYS[#KEYS], KEYS[1]) end
return appended
