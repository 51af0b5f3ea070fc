-- uses: outbox
-- Let a dead letter wait again: its turns are promoted behind those that wait already.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] thread  [3] id of the letter  [4] its recipe from now on
-- Returns the number of its turns; 0 if there is no such letter.
local thread = ARGV[2]
local letter = redis.call('XRANGE', dead, ARGV[3], ARGV[3])[1]
if not letter then return 0 end
local state, turns, recipe = state_of(thread), turns_of(thread), ARGV[4]
local number = tonumber(field(letter, 'turns'))
for i = 1, number do redis.call('XADD', turns, '*', 'turn', field(letter, 'turn' .. i), 'recipe', recipe) end
redis.call('XDEL', dead, ARGV[3])
redis.call('HINCRBY', state, 'waiting', number)
redis.call('SADD', scope_of(recipe), thread)
for _, key in ipairs({turns, state, ids_of(thread), scope_of(recipe)}) do redis.call('PERSIST', key) end
count('waiting', number)
count('replayed', number)
if not redis.call('HGET', state, 'job') then
  redis.call('HDEL', state, 'held')
  enqueue(thread)
end
return number
