-- uses: outbox
-- Take the turns of a thread that are not taken yet.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] recipe, '' = they are nobody's: only note that they were said  [4] how many ids are kept
-- ARGV[5] name of the strategies  [6] id of the message before these, '' = it does not matter
-- ARGV[7] how many of these stand before the current turn  [8] '1' = whose those are that do, or that may be missing, is
--   known otherwise
-- ARGV[9..] for each message: id, turn
-- Returns how many were new; -1, with nothing taken, if the message before is not known: some are missing in between; also
--   if somebody else's turn was taken last and [8] is '1': before that one some of this one's may be missing.
local thread, recipe, most_ids, before, earlier = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[6], tonumber(ARGV[7])
local state, ids, turns, mark = state_of(thread), ids_of(thread), turns_of(thread), 'mark:' .. ARGV[5]
local path = recipe == '' and '' or path_of(recipe)

local held = redis.call('HMGET', state, 'noted', 'waiting', 'job', 'held', 'whose', mark)
local noted, number = tonumber(held[1] or 0), tonumber(held[2] or 0)
-- Each message has a number, and each set of strategies the highest that it took, and whose that was. Strategies that are
-- new to a thread go on where others are.
local upto, whose = string.match(held[6] or '', '^(%d+) (.*)$')
upto, whose = tonumber(upto), whose or held[5] or path
local function number_of(id) return tonumber(redis.call('ZSCORE', ids, id) or nil) end
local function passed(n) return n and n <= (upto or noted) end

-- What was said before in another user's turn is not this one's: only the current turn is sure to be.
local same = whose == path or ARGV[8] == '1'
if same and before ~= '' and earlier == 0 and not (whose == path and passed(number_of(before))) then return -1 end

local new, last = {}, upto or 0
for i = 9, #ARGV, 2 do
  local n, current = number_of(ARGV[i]), (i - 9) / 2 >= earlier
  if current and (not n or n > (upto or 0)) or (not current and same) then new[#new + 1] = i end
  if not current and passed(n) then new = {} end
end
if #new == 0 then return 0 end

for _, i in ipairs(new) do
  local n = number_of(ARGV[i])
  if not n then
    noted = noted + 1
    n = noted
    redis.call('ZADD', ids, n, ARGV[i])
  end
  last = math.max(last, n)
end
if noted > most_ids then redis.call('ZREMRANGEBYRANK', ids, 0, -most_ids - 1) end
redis.call('HSET', state, 'noted', whole(noted), 'whose', path, mark, whole(last) .. ' ' .. path)
if recipe == '' then
  if number == 0 then
    for _, key in ipairs({state, ids}) do redis.call('PEXPIRE', key, kept) end
  end
  return 0
end

redis.call('HSET', state, 'own:' .. path .. ' ' .. ARGV[5], whole(last))
local scope, newest = scope_of(recipe), nil
for _, i in ipairs(new) do newest = redis.call('XADD', turns, '*', 'turn', ARGV[i + 1], 'recipe', recipe) end
redis.call('HSET', state, 'waiting', whole(number + #new))
redis.call('SADD', scope, thread)
redis.call('PERSIST', scope)
if number == 0 then -- it was to be forgotten after a while
  for _, key in ipairs({turns, state, ids}) do redis.call('PERSIST', key) end
end
count('taken', #new)
count('waiting', #new)
if not held[3] and not held[4] then debounce(thread, number + #new, ms_of(newest)) end
return #new
