-- Set a model call and its tokens aside, if the day's limits allow it.
-- KEYS[1] what the scope spent today (HASH: calls, tokens, and r:ID, the tokens of each call that is not settled yet)
-- KEYS[2] what everybody spent today (HASH: calls, tokens)
-- ARGV[1] id of the call  [2] its tokens, as estimated  [3] ms for which the day is kept
-- ARGV[4] calls and [5] tokens of the scope at most, '' = no limit  [6] and [7] the same for everybody
-- Returns '', or the name of the limit that is reached, with nothing set aside.
local id, tokens = 'r:' .. ARGV[1], tonumber(ARGV[2])
if redis.call('HEXISTS', KEYS[1], id) == 1 then return '' end

local function reached(key, name, more, limit)
  return limit ~= '' and tonumber(redis.call('HGET', key, name) or 0) + more > tonumber(limit)
end
if reached(KEYS[1], 'calls', 1, ARGV[4]) then return 'calls' end
if reached(KEYS[1], 'tokens', tokens, ARGV[5]) then return 'tokens' end
if reached(KEYS[2], 'calls', 1, ARGV[6]) then return 'total_calls' end
if reached(KEYS[2], 'tokens', tokens, ARGV[7]) then return 'total_tokens' end

redis.call('HSET', KEYS[1], id, tokens)
for _, key in ipairs(KEYS) do
  redis.call('HINCRBY', key, 'calls', 1)
  redis.call('HINCRBY', key, 'tokens', tokens)
  redis.call('PEXPIRE', key, ARGV[3])
end
return ''
