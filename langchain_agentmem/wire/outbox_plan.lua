-- uses: outbox
-- Keep the changes that were found for a batch, so that whoever goes on makes these and no others.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] job  [4] fence  [5] id of the batch's last turn  [6] the plan
-- Returns 1; 0 if the worker no longer holds the thread.
local thread = ARGV[2]
if not holds(thread, ARGV[3], ARGV[4]) then return 0 end
redis.call('HSET', state_of(thread), 'upto', ARGV[5], 'plan', ARGV[6])
return 1
