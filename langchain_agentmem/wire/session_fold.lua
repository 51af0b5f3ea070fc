-- uses: session
-- Put a summary in the place of the turns that it tells of. Turns that came since stay.
-- KEYS[1] session
-- ARGV[1] ttl, ARGV[2] user, ARGV[3] the summary, ARGV[4] the number of the newest turn that it tells of
-- ARGV[5] when the session that it tells of began, in ms: another one that has begun since has other turns
-- Returns how many turns went.
local held = redis.call('HMGET', session, 'first', 'last', 'created')
local first = tonumber(held[1] or 1)
local upto = held[3] == ARGV[5] and math.min(tonumber(ARGV[4]), tonumber(held[2] or 0)) or 0
for number = first, upto do redis.call('HDEL', session, 't:' .. string.format('%.0f', number)) end
if upto >= first then redis.call('HSET', session, 'first', string.format('%.0f', upto + 1)) end
redis.call('HSET', session, 'summary', ARGV[3])
sign()
return math.max(upto - first + 1, 0)
