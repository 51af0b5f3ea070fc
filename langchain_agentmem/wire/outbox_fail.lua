-- uses: outbox
-- A batch is not stored: give the thread back, to be tried again, or give the batch up.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] job  [4] fence  [5] id of the batch's last turn
-- ARGV[6] 'retry', or without counting as an attempt 'deferred' or 'released'  [7] ms until it is tried again
-- ARGV[8] type of the error  [9] its text
-- Returns how it ended: as asked, or, if no attempt is left, 'alone' (its turns are tried one by one), 'dead' or, where
-- the turns are gone, 'lost'; '' if the worker no longer held the thread, and nothing was changed.
local thread, job, fence, outcome = ARGV[2], ARGV[3], ARGV[4], ARGV[6]
local mine, ended = holds(thread, job, fence)
if not mine then return ended end
if outcome ~= 'retry' then
  redis.call('HINCRBY', state_of(thread), 'attempts', -1)
else
  count('failed', 1)
  if tonumber(redis.call('HGET', state_of(thread), 'attempts')) >= most_attempts then
    outcome = give_up(thread, ARGV[5], ARGV[8], ARGV[9])
  end
end
local over = outcome == 'dead' or outcome == 'lost'
if not over then count(outcome, 1) end
return close(thread, job, fence, outcome, not over and ARGV[7])
