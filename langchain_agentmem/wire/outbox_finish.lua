-- uses: outbox
-- A batch is stored: move the cursor over it and give the thread back.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] job  [4] fence  [5] id of the batch's last turn
-- Returns 'done'; '' if the worker no longer held the thread, and nothing was changed.
local thread, job, fence = ARGV[2], ARGV[3], ARGV[4]
local mine, ended = holds(thread, job, fence)
if not mine then return ended end
count('promoted', advance(thread, ARGV[5]))
count('batches', 1)
return close(thread, job, fence, 'done')
