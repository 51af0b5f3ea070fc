-- uses: outbox
-- Go on holding a thread.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] job  [4] fence  [5] ms for which it holds
-- Returns 1; 0 if the worker no longer holds it.
local thread, job = ARGV[2], ARGV[3]
if not holds(thread, job, ARGV[4]) then return 0 end
redis.call('HSET', state_of(thread), 'until', whole(now + ARGV[5]))
-- Nobody need look at the job meanwhile. Who has it keeps it: that may be a worker whom another one came before.
local given = redis.call('XPENDING', jobs, GROUP, job, job, 1)[1]
if given then redis.call('XCLAIM', jobs, GROUP, given[2], 0, job, 'JUSTID') end
return 1
