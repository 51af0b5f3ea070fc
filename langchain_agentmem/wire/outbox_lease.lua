-- uses: outbox
-- Take hold of a thread for which there is a job, and read what is to be promoted next.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] job  [4] worker  [5] ms for which it holds  [6] turns of a batch at most  [7] bytes of it at most
-- Returns {fence, attempt, plan or '', recipe, id of the last turn, number of turns for context, turns...}; or how it
-- ended, if no attempt is left; or nothing, if there is nothing to do or another worker holds the thread.
local thread, job, worker = ARGV[2], ARGV[3], ARGV[4]
local state = state_of(thread)
local held = redis.call('HMGET', state, 'job', 'until', 'owner', 'plan', 'upto', 'alone', 'fence')
if held[1] ~= job then -- it was done, or forgotten
  drop(job)
  return false
end
if held[2] and tonumber(held[2]) > now and held[3] ~= worker then return false end

local batch, recipe, bytes = {}, nil, 0
for _, entry in ipairs(waiting(thread, held[5] or '+', not held[5] and (held[6] and 1 or ARGV[6]))) do
  bytes, recipe = bytes + #field(entry, 'turn'), recipe or field(entry, 'recipe')
  local too_large = not held[5] and #batch > 0 and bytes > tonumber(ARGV[7])
  if too_large or field(entry, 'recipe') ~= recipe then break end
  batch[#batch + 1] = entry
end
if #batch == 0 then
  redis.call('HDEL', state, 'held')
  close(thread, job, held[7] or '0', lost(thread))
  return false
end
local upto = batch[#batch][1]

local fence = whole(redis.call('HINCRBY', stats, 'fence', 1))
redis.call('HSET', state, 'fence', fence, 'owner', worker, 'until', whole(now + ARGV[5]))
redis.call('HDEL', state, 'held')
local attempt = redis.call('HINCRBY', state, 'attempts', 1)
if attempt > most_attempts then
  local outcome = give_up(thread, upto, 'WorkerDied', 'every worker that promoted these turns died over it')
  return close(thread, job, fence, outcome)
end

local answer = {fence, attempt, held[4] or '', recipe, upto, 0}
local before = context > 0 and redis.call('XREVRANGE', turns_of(thread), cursor_of(thread), '-', 'COUNT', context) or {}
for i = #before, 1, -1 do
  if scope_of(field(before[i], 'recipe')) == scope_of(recipe) then answer[#answer + 1] = field(before[i], 'turn') end
end
answer[6] = #answer - 6
for _, entry in ipairs(batch) do answer[#answer + 1] = field(entry, 'turn') end
return answer
