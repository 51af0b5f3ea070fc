-- uses: memory
-- Take back the last change of a memory: that it was forgotten, retired, reinforced, or that it says something else.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] ttl in ms of what is superseded
-- ARGV[4] key that keeps the answer to this operation  [5] for how many seconds  [6..] fields to read afterwards
-- Returns {'undone', member, version, values}, or {'nothing', member, 0, values}: there is nothing to take back.
local ttl = ARGV[3]
local nothing = {'nothing', member, 0}

-- Put back when a fact was last said, unless something was said of it since.
local function recover_said(name, text)
  local last, where = string.match(text, '^(%S+) (.*)$')
  local past, since = noted(name)
  if not since or since < tonumber(last) then note(name, past, last, where) end
end

-- Put back the facts that store_drop.lua kept. One that was set since is newer: what it was here becomes its past.
local function recover_facts(kept)
  for field, text in pairs(kept) do
    local name, version = string.match(field, '^f(.+):(%d+)$')
    local fact, heard = string.match(field, '^F(.+)$'), string.match(field, '^!(.+)$')
    if name then
      redis.call('SET', facts .. ':' .. name .. ':' .. version, text, 'PX', ttl, 'NX')
    elseif fact then
      local old = parse_fact(text)
      if noted(fact) > old.version or redis.call('HSETNX', facts, fact, text) == 0 then
        redis.call('SET', facts .. ':' .. fact .. ':' .. old.version, whole(math.max(now, old.since)) .. ' ' .. text, 'PX', ttl, 'NX')
      end
    elseif heard then
      recover_said(heard, text)
    end
    if name or fact or heard then redis.call('HDEL', gone, field) end
  end
end

-- Put back all that store_drop.lua moved away.
local function recover()
  local kept = read_hash(gone)
  local past = tonumber(kept['#'])
  if kept.v then displace(member, tonumber(kept.b or 1), kept.i, kept.s, ttl, true) end
  recover_facts(kept)
  redis.call('HDEL', gone, '#')
  for i = 1, past do
    if redis.call('EXISTS', gone .. ':v' .. i) == 1 then
      redis.call('RENAME', gone .. ':v' .. i, item .. ':v' .. i)
      redis.call('PEXPIRE', item .. ':v' .. i, ttl)
    end
  end
  if past > 0 then
    redis.call('HSET', known, '#' .. member, past)
    keep_known(ttl)
  end
  if not kept.v then return {'undone', member, past} end
  redis.call('RENAME', gone, item)
  redis.call('PERSIST', item)
  for i = 1, kept.e or 0 do
    redis.call('RENAME', gone .. ':x' .. i, item .. ':x' .. i)
    redis.call('PERSIST', item .. ':x' .. i)
  end
  local fact = kept.s and read_fact(kept.s)
  settle(member, ttl, fact and fact.from == member) -- a fact that came back with it was last said when it was
  return {'undone', member, version_of(member)}
end

-- Take back the last reinforcement: 'confidence updated length-of-sources' is what was before each, by semicolons.
local function weaken(reinforcements)
  local confidence, updated, length, rest = string.match(reinforcements, '^(%S+) (%-?%d+) (%d+);?(.*)$')
  local own = redis.call('HMGET', item, 'h', 'j')
  redis.call('HSET', item, 'k', confidence, 'u', updated, 'h', own[1] - 1, 'j', string.sub(own[2] or '', 1, length))
  if length == '0' then redis.call('HDEL', item, 'j') end
  if rest == '' then redis.call('HDEL', item, 'R') else redis.call('HSET', item, 'R', rest) end
  return {'undone', member, version_of(member)}
end

-- Bring back what a change displaced, unless something happened to it since.
local function replace(displaced, version)
  for name in string.gmatch(displaced or '', '%S+') do
    local by = redis.call('HGET', stem .. name .. ':v' .. past_of(name), 'D')
    if not there(name) and by == member .. ' ' .. version then unretire(name, ttl) end
  end
end

-- The fact that it stood for is again what it was before.
local function give_back(fact, text)
  local now_is, before = fact and read_fact(fact), text and parse_fact(text)
  if not now_is or now_is.from ~= member then return end
  if not before then return drop_fact(fact, ttl) end
  set_fact(fact, '-', before.value, before.source, ttl)
end

-- What it said before becomes its next version.
local function go_back()
  local version = version_of(member)
  local present = redis.call('HMGET', item, 'B', 'd', 's', 'F')
  local before = tonumber(present[1] or version - 1)
  local old = read_hash(item .. ':v' .. before)
  if not old.v then return nothing, true end
  if present[3] ~= old.s then give_back(present[3], present[4]) end
  local displaced = displace(member, version + 1, old.i, old.s, ttl, true)
  old.d = displaced ~= '' and displaced or nil
  retire(member, ttl, member .. ' ' .. version + 1)
  old.n, old.z = turned(old.n, PRESENT), old.Z ~= '' and old.Z or nil
  old.a, old.u, old.b, old.P, old.B = whole(now), whole(now), version + 1, version, old.B or before - 1
  old.Z, old.D = nil, nil
  write_hash(item, old)
  settle(member, ttl)
  replace(present[2], version)
  return {'undone', member, version + 1}
end

local function undo()
  if there(member) then
    local reinforcements = redis.call('HGET', item, 'R')
    if reinforcements then return weaken(reinforcements) end
    return go_back()
  elseif redis.call('EXISTS', item .. ':v' .. past_of(member)) == 1 then
    unretire(member, ttl)
    return {'undone', member, version_of(member)}
  elseif redis.call('EXISTS', gone) == 1 then
    return recover()
  end
  return nothing, true
end

local answer = once(ARGV[4], ARGV[5], undo)
answer[4] = redis.call('HMGET', item, unpack(ARGV, 6))
return answer
