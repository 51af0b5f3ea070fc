-- uses: session
-- Put a summary in the place of the turns that it tells of. Turns that came since stay.
-- KEYS[1] session
-- ARGV[1] ttl, ARGV[2] user, ARGV[3] the summary, ARGV[4] the number of the newest turn that it tells of
-- Returns how many turns went.
local first = tonumber(redis.call('HGET', session, 'first') or 1)
local upto = math.min(tonumber(ARGV[4]), tonumber(redis.call('HGET', session, 'last') or 0))
for number = first, upto do redis.call('HDEL', session, 't:' .. string.format('%.0f', number)) end
if upto >= first then redis.call('HSET', session, 'first', string.format('%.0f', upto + 1)) end
redis.call('HSET', session, 'summary', ARGV[3])
sign()
return math.max(upto - first + 1, 0)
