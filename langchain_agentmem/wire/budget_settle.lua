-- Count what a model call really took, in the place of what was set aside for it.
-- KEYS[1] what the scope spent on the day of the call, KEYS[2] what everybody spent, as in budget_reserve.lua
-- KEYS[3] the counters of all times (HASH)
-- ARGV[1] id of the call  [2] tokens read  [3] tokens written  [4] 1 if the call failed  [5] what it cost
-- Returns 1; 0 if it is settled already.
local id = 'r:' .. ARGV[1]
local aside = redis.call('HGET', KEYS[1], id)
if not aside then return 0 end
redis.call('HDEL', KEYS[1], id)
for i = 1, 2 do redis.call('HINCRBY', KEYS[i], 'tokens', ARGV[2] + ARGV[3] - aside) end
redis.call('HINCRBY', KEYS[3], 'calls', 1)
redis.call('HINCRBY', KEYS[3], 'input_tokens', ARGV[2])
redis.call('HINCRBY', KEYS[3], 'output_tokens', ARGV[3])
redis.call('HINCRBY', KEYS[3], 'model_errors', ARGV[4])
redis.call('HINCRBYFLOAT', KEYS[3], 'cost', ARGV[5])
return 1
