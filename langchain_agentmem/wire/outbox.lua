-- The turns that wait to be promoted. Prelude: defines functions, runs nothing.
-- KEYS[1]  P:T:outbox:{P:T}; every other key is made from it and lies in the same slot:
--   :turns:I STREAM of thread I's turns: `turn`, `recipe` (whose memories, by which strategies; JSON). Those up to the
--     cursor are promoted; a few of them are kept as context
--   :state:I HASH: cursor; waiting, turns behind it; noted, ids ever taken; whose, the scope of the last, as L:L,
--     '' = nobody's; mark:S, number and scope of the last that strategies S took; own:L:L S, number of the last that they
--     took of that scope; job, its entry in :jobs; fence, owner, until (ms): who holds the thread; attempts; held, its time is set and no debounce may change it; plan, upto:
--     changes found and not yet made; alone, up to where turns are tried one by one; closed, the last fence and how it
--     ended
--   :seen:I  ZSET of message ids taken, as digests, by number
--   :scope:L:L SET of the threads that turns of scope L:L came from
--   :due ZSET of threads by the time at which they are due (ms), :jobs STREAM of those that are; :dead STREAM of what
--     was given up, :stats HASH of counters
-- ARGV[1]  settings, in spaces: ms of quiet, turns at most, ms of waiting at most, ms for which an idle thread is kept,
--   turns kept as context, attempts at most
local stem = KEYS[1]
local due, jobs, dead, stats = stem .. ':due', stem .. ':jobs', stem .. ':dead', stem .. ':stats'
local GROUP = 'workers'

local settings = {}
for number in string.gmatch(ARGV[1], '%d+') do settings[#settings + 1] = tonumber(number) end
local quiet, most_turns, longest, kept, context, most_attempts = unpack(settings)

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function whole(number) return string.format('%.0f', number) end
local function turns_of(thread) return stem .. ':turns:' .. thread end
local function state_of(thread) return stem .. ':state:' .. thread end
local function ids_of(thread) return stem .. ':seen:' .. thread end
-- A recipe begins with its path, which holds no quote; cjson refuses half a surrogate pair, which a user's id may hold.
local function path_of(recipe) return string.match(recipe, '^{"path": "([^"]*)"') end
local function scope_of(recipe) return stem .. ':scope:' .. path_of(recipe) end
local function count(name, number) redis.call('HINCRBY', stats, name, number) end
local function ms_of(id) return tonumber(string.match(id, '^%d+')) end
local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then return entry[2][i + 1] end
  end
end

local function cursor_of(thread) return redis.call('HGET', state_of(thread), 'cursor') or '0-0' end
local function waiting(thread, upto, number)
  local some = number and {'COUNT', number} or {}
  return redis.call('XRANGE', turns_of(thread), '(' .. cursor_of(thread), upto, unpack(some))
end

-- A stream keeps the bytes of deleted entries for as long as others lie beside them: write it without. Its next id
-- stays as it is, because an entry with an id at or below the cursor would never be read.
local function write_anew(stream)
  local entries = redis.call('XRANGE', stream, '-', '+')
  if #entries == 0 then return end
  local info, last = redis.call('XINFO', 'STREAM', stream), nil
  for i = 1, #info, 2 do last = info[i] == 'last-generated-id' and info[i + 1] or last end
  redis.call('UNLINK', stream)
  for _, entry in ipairs(entries) do redis.call('XADD', stream, entry[1], unpack(entry[2])) end
  redis.call('XSETID', stream, last)
end

local function ensure_group()
  if redis.call('EXISTS', jobs) == 0 then redis.call('XGROUP', 'CREATE', jobs, GROUP, '0', 'MKSTREAM') end
end

-- Hand a thread to the workers.
local function enqueue(thread)
  ensure_group()
  redis.call('HSET', state_of(thread), 'job', redis.call('XADD', jobs, '*', 'thread', thread))
  redis.call('ZREM', due, thread)
end

local function newest_of(thread) return ms_of(redis.call('XREVRANGE', turns_of(thread), '+', '-', 'COUNT', 1)[1][1]) end

-- Debounce: a thread is due after some quiet, or when enough waits, or when it has waited long enough.
-- number = of turns that wait, last = when the last of them came.
local function debounce(thread, number, last)
  local at = now
  if number < most_turns then at = math.min(last + quiet, ms_of(waiting(thread, '+', 1)[1][1]) + longest) end
  if at <= now then enqueue(thread) else redis.call('ZADD', due, whole(at), thread) end
end

-- Nothing of a thread waits: it is forgotten after a while.
local function expire(thread)
  write_anew(turns_of(thread))
  for _, key in ipairs({turns_of(thread), state_of(thread), ids_of(thread)}) do redis.call('PEXPIRE', key, kept) end
end

-- A job is over.
local function drop(job)
  redis.call('XACK', jobs, GROUP, job)
  redis.call('XDEL', jobs, job)
end

-- Whether a worker still holds a thread; if not, how it gave it back, or '' where it lost it.
local function holds(thread, job, fence)
  local state = redis.call('HMGET', state_of(thread), 'job', 'fence', 'closed')
  if state[1] == job and state[2] == fence then return true end
  if state[1] ~= job then drop(job) end
  return false, state[3] and string.match(state[3], '^' .. fence .. ' (%l+)$') or ''
end

-- How many turns of a thread wait: as counted, but none where the server has evicted them, or somebody deleted them.
local function number_waiting(thread)
  local number = tonumber(redis.call('HGET', state_of(thread), 'waiting') or 0)
  if number == 0 or #waiting(thread, '+', 1) > 0 then return number end
  count('waiting', -number)
  redis.call('HSET', state_of(thread), 'waiting', 0)
  return 0
end

-- Give a thread back: its job is over, and what waits meanwhile is due again.
local function close(thread, job, fence, outcome, delay)
  local state = state_of(thread)
  redis.call('HDEL', state, 'job', 'owner', 'until')
  redis.call('HSET', state, 'closed', fence .. ' ' .. outcome)
  drop(job)
  if delay then
    redis.call('HSET', state, 'held', 1)
    redis.call('ZADD', due, whole(now + delay), thread)
  else
    local number = number_waiting(thread)
    if number > 0 then debounce(thread, number, newest_of(thread)) else expire(thread) end
  end
  return outcome
end

-- Move the cursor over turns that are stored, or given up.
local function advance(thread, upto)
  local turns, state = turns_of(thread), state_of(thread)
  local done = waiting(thread, upto)
  local number = #done
  if done[1] then redis.call('PEXPIRE', scope_of(field(done[1], 'recipe')), kept) end -- else evicted meanwhile
  redis.call('HSET', state, 'cursor', upto)
  redis.call('HDEL', state, 'plan', 'upto', 'attempts')
  redis.call('HINCRBY', state, 'waiting', -number)
  count('waiting', -number)
  local alone = redis.call('HGET', state, 'alone')
  if alone and #waiting(thread, alone, 1) == 0 then redis.call('HDEL', state, 'alone') end
  for i, entry in ipairs(redis.call('XREVRANGE', turns, upto, '-')) do
    if i > context then redis.call('XDEL', turns, entry[1]) end
  end
  return number
end

-- The turns of a batch are gone: the server evicted them, or somebody deleted them.
local function lost(thread)
  redis.call('HDEL', state_of(thread), 'plan', 'upto', 'attempts', 'alone')
  return 'lost'
end

-- No attempt is left. Turns that failed together are tried one by one first, so that one which cannot be promoted takes
-- no others with it; one that failed alone moves to the dead letters, and so do turns whose changes were found already.
local function give_up(thread, upto, kind, text)
  local state, entries = state_of(thread), waiting(thread, upto)
  if #entries == 0 then return lost(thread) end
  local last = redis.call('HMGET', state, 'plan', 'alone', 'attempts')
  if not last[1] and not last[2] and #entries > 1 then
    redis.call('HSET', state, 'alone', upto)
    redis.call('HDEL', state, 'attempts')
    return 'alone'
  end
  local letter = {'thread', thread, 'recipe', field(entries[1], 'recipe'), 'error_type', kind, 'error', text,
    'attempts', last[3] or 0, 'turns', #entries}
  for i, entry in ipairs(entries) do
    letter[#letter + 1] = 'turn' .. i
    letter[#letter + 1] = field(entry, 'turn')
  end
  redis.call('XADD', dead, '*', unpack(letter))
  count('dead', advance(thread, upto))
  for _, entry in ipairs(entries) do redis.call('XDEL', turns_of(thread), entry[1]) end -- they are no context, either
  return 'dead'
end
