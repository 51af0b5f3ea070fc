-- uses: outbox
-- Take the turns of a thread that are not taken yet.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] recipe  [4] how many ids are kept  [5] id of the message before these, '' = it does not matter
-- ARGV[6..] for each message: id, turn
-- Returns how many were new; -1, with nothing taken, if the message before is not known: some are missing in between.
local thread, recipe, most_ids, before = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local state, ids, turns = state_of(thread), ids_of(thread), turns_of(thread)
local function known(id) return redis.call('ZSCORE', ids, id) end

local held = redis.call('HMGET', state, 'noted', 'waiting', 'job', 'held')
local noted, number = tonumber(held[1] or 0), tonumber(held[2] or 0)
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

local scope, last = scope_of(recipe), nil
for _, i in ipairs(new) do
  noted = noted + 1
  redis.call('ZADD', ids, noted, ARGV[i])
  last = redis.call('XADD', turns, '*', 'turn', ARGV[i + 1], 'recipe', recipe)
end
if noted > most_ids then redis.call('ZREMRANGEBYRANK', ids, 0, -most_ids - 1) end
redis.call('HSET', state, 'noted', whole(noted), 'waiting', whole(number + #new))
redis.call('SADD', scope, thread)
redis.call('PERSIST', scope)
if number == 0 then -- it was to be forgotten after a while
  for _, key in ipairs({turns, state, ids}) do redis.call('PERSIST', key) end
end
count('taken', #new)
count('waiting', #new)
if not held[3] and not held[4] then debounce(thread, number + #new, ms_of(last)) end
return #new
