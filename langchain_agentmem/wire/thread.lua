-- A thread's keys, expiry and registry. Prelude: defines functions, runs nothing.
-- KEYS[1]  P:T:thread:{I}, the thread's HASH; every other key of its checkpoints is this plus a suffix
--   fields: created, ttl, at (absolute expiry), all in ms; pin; user (escaped); orphan (writes came, but no checkpoint yet);
--   r:<run id> for each run that left checkpoints
--   KEYS[1]:spaces  SET of the thread's namespaces, escaped
-- KEYS[2]  P:T:threads, the tenant's registry of threads, given only where one server holds all
local thread = KEYS[1]
local spaces = thread .. ':spaces'
local ORPHAN_TTL = 86400000 -- ms; writes whose checkpoint never comes are swept after a day
local FEW = 16              -- up to so many namespaces, every write moves the expiry of all keys

local function head_of(ns) return thread .. ':' .. ns .. ':head' end
local function past_of(ns) return thread .. ':' .. ns .. ':past' end
local function ids_of(ns) return thread .. ':' .. ns .. ':ids' end

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function each_checkpoint_key(act)
  local namespaces = redis.call('SMEMBERS', spaces) -- read first: `act` may remove it
  act(thread)
  act(spaces)
  for _, ns in ipairs(namespaces) do
    act(head_of(ns))
    act(past_of(ns))
    act(ids_of(ns))
  end
end

local events = string.gsub(thread, ':thread:{', ':events:{', 1) -- a thread's events live as long as it does

local function each_key(act)
  each_checkpoint_key(act)
  act(events)
end

-- What a thread's hash says, in one read, with whether it has the run.
local function state_of(run)
  local found = redis.call('HMGET', thread, 'pin', 'at', 'ttl', 'orphan', 'created', 'user', 'r:' .. (run or ''))
  return {
    pin = found[1], at = found[2], ttl = found[3], orphan = found[4], user = found[6], has_run = found[7],
    known = found[4] or found[5],
  }
end

-- All keys of a thread expire at one instant, so none outlives or undercuts another. Where a thread has many namespaces
-- (one for each call of a subgraph), the instant moves in steps of an eighth of the ttl, and a write between two steps
-- touches only the keys of its own namespace, a read none.
local function expire(state, ttl, ns)
  local text = ttl and string.format('%.0f', ttl) or false
  if state.pin then
    if ttl then redis.call('HSET', thread, 'ttl', text) end -- for the day when it is unpinned
    ttl = nil
  end
  if not ttl then
    if state.at then
      each_key(function(key) redis.call('PERSIST', key) end)
      redis.call('HDEL', thread, 'at')
      state.at = false
    elseif not state.known then
      redis.call('PERSIST', events) -- those from before the thread's first checkpoint had a term of their own
    end
    return
  end
  local at, known, many = now_ms() + ttl, tonumber(state.at or 0), redis.call('SCARD', spaces) > FEW
  if many and known > at and state.ttl == text then
    for _, key in ipairs(ns and {thread, spaces, head_of(ns), past_of(ns), ids_of(ns)} or {}) do
      redis.call('PEXPIREAT', key, state.at)
    end
    return
  end
  if many then at = at + math.floor(ttl / 8) end
  local instant = string.format('%.0f', at)
  state.at = instant
  redis.call('HSET', thread, 'at', instant, 'ttl', text)
  each_key(function(key) redis.call('PEXPIREAT', key, instant) end)
end

-- Expire as a writer asks, by its argument: '' is never.
local function expire_as_asked(state, text, ns)
  if text == '' and state.ttl then redis.call('HDEL', thread, 'ttl') end
  expire(state, tonumber(text), ns)
end

-- The registries are other keys: KEYS[2] is the tenant's, given only where one server holds all (no cluster); a user's is
-- that and ':' and the user.

-- A user's registry lives as long as the last of the user's threads: let it outlive this one, whose expiry has moved.
-- With a member and its score, note the thread there first.
local function keep_registry(state, user, member, score)
  if not KEYS[2] or not user or user == '' then return end
  local registry = KEYS[2] .. ':' .. user
  local left = redis.call('PTTL', registry) -- -1: it lives for ever; -2: there is none
  if member then redis.call('ZADD', registry, score, member) elseif left == -2 then return end
  if not state.at then
    if left >= 0 then redis.call('PERSIST', registry) end
  elseif left == -2 or left >= 0 and now_ms() + left < tonumber(state.at) then
    redis.call('PEXPIREAT', registry, state.at)
  end
end

-- Count on from now, by the ttl that the thread has.
local function refresh()
  local state = state_of()
  if not state.ttl then return end
  expire(state, tonumber(state.ttl))
  keep_registry(state, state.user)
end

-- An entry may outlive its thread: look at three, spread by the clock, and drop the dead.
local function sweep(registry)
  local base, now, count = string.match(thread, '^(.*){'), now_ms(), redis.call('ZCARD', registry)
  for i = 1, count > 0 and 3 or 0 do
    local rank = now * i % count
    local other = redis.call('ZRANGE', registry, rank, rank)[1]
    if other and redis.call('EXISTS', base .. '{' .. other .. '}') == 0 then redis.call('ZREM', registry, other) end
  end
end

-- Note the thread in the tenant's registry and its user's. Each new thread sweeps a little.
local function register(member, state, user, is_new)
  if not KEYS[2] then return end
  local score = string.format('%.0f', now_ms())
  redis.call('ZADD', KEYS[2], score, member)
  if user ~= '' then keep_registry(state, user, member, score) else keep_registry(state, state.user) end
  if not is_new then return end
  sweep(KEYS[2])
  if user ~= '' then sweep(KEYS[2] .. ':' .. user) end
end

local function unregister(member, user)
  if not KEYS[2] then return end
  redis.call('ZREM', KEYS[2], member)
  if user ~= '' then redis.call('ZREM', KEYS[2] .. ':' .. user, member) end
end

local function forget_thread()
  each_key(function(key) redis.call('UNLINK', key) end)
  redis.call('UNLINK', events .. ':seen')
end
