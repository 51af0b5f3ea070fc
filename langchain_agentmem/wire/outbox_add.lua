-- uses: outbox
-- Take the turns of a thread that are not taken yet.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] recipe  [4] how many ids are kept  [5] id of the message before these, '' = it does not matter
-- ARGV[6..] for each message: id, turn
-- Returns how many were new; -1, with nothing taken, if the message before is not known: some are missing in between.
local thread, recipe, most_ids, before = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local state, ids, turns = state_of(thread), ids_of(thread), turns_of(thread)
local function known(id) return redis.call('ZSCORE', ids, id) end

local noted = tonumber(redis.call('HGET', state, 'noted') or 0)
local met, new = before ~= '' and known(before), {}
for i = 6, #ARGV, 2 do
  if not known(ARGV[i]) then
    new[#new + 1] = i
  else
    if not met and noted > most_ids then new = {} end -- ids that old are no longer kept, but they were taken
    met = true
  end
end
if before ~= '' and not met then return -1 end
if #new == 0 then return 0 end

for _, i in ipairs(new) do
  noted = noted + 1
  redis.call('ZADD', ids, noted, ARGV[i])
  redis.call('XADD', turns, '*', 'turn', ARGV[i + 1], 'recipe', recipe)
end
redis.call('ZREMRANGEBYRANK', ids, 0, -most_ids - 1)
redis.call('HSET', state, 'noted', whole(noted))
redis.call('HINCRBY', state, 'waiting', #new)
redis.call('SADD', scope_of(recipe), thread)
for _, key in ipairs({turns, state, ids, scope_of(recipe)}) do redis.call('PERSIST', key) end
count('taken', #new)
count('waiting', #new)
local busy = redis.call('HMGET', state, 'job', 'held')
if not busy[1] and not busy[2] then debounce(thread) end
return #new
