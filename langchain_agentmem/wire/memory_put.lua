-- uses: memory
-- Remember something: find out whether it is known, and write, in one step.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua, for the memory that it becomes when it is new
-- ARGV[3] token of this call, so that a replay changes nothing  [4] identity  [5] ttl in ms, '' = never
-- ARGV[6] ttl in ms of what is superseded
-- ARGV[7] member of the memory that it replaces, then, if that matters, a space and the version it must have; '' = none
-- ARGV[8] fact it stands for, '' = none  [9] the fact's value
-- ARGV[10] member that the client found to say the same, '' = none; then, if it says less, a space and the version that does
-- ARGV[11] members that the client found to differ, in spaces
-- ARGV[12] share by which confidence grows towards 1 when it is confirmed  [13] where this came from, JSON, '' = nowhere
-- ARGV[14] search index, '' = the client has looked for neighbours itself  [15] query for neighbours  [16] vector
-- ARGV[17] farthest distance of a duplicate  [18] farthest distance of a related memory
-- ARGV[19] key that keeps the answer to this operation, '' = it has no name  [20] for how many seconds
-- ARGV[21] '1' = it comes from an export: what is there stays as it is
-- ARGV[22] when it was said, in microseconds, '' = it is done by hand  [23] in which thread
-- ARGV[24..] the hash: field, value...
-- Returns {'added' | 'reinforced' | 'superseded' | 'kept', member, version, related members in spaces}, or, with nothing
-- written, {'judge', ...}: neighbours so near that the client must say whether they say the same, as member, value,
-- since when it is so, version, distance... {'missing', member}: there is no such memory to replace. {'changed', member}: it has another version.
local token, identity, ttl, past_ttl, replaces = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local fact, fact_value, differing = ARGV[8], ARGV[9], ' ' .. ARGV[11] .. ' '
local same, outdone = string.match(ARGV[10], '^(%S*) ?(%d*)$')
local source, index, imported = ARGV[13], ARGV[14], ARGV[21] == '1'
if fact == '' then fact = nil end
local told = {}
for i = 24, #ARGV, 2 do told[ARGV[i]] = ARGV[i + 1] end
local starts = math.min(now, told.a or now) -- what it supersedes was so until then
hear(ARGV[22], ARGV[23], starts)

local function done(outcome, name, related) return {outcome, name, version_of(name), related or ''} end

-- A replay finds its own token on the memory that it made or changed.
local function replayed(name)
  local last = redis.call('HMGET', stem .. name, 'o', 'g')
  local outcome = last[1] and string.match(last[1], '^' .. token .. ' (%l+)$')
  return outcome and done(outcome, name, last[2])
end

local function reinforce(name)
  local again = replayed(name)
  if again then return again end
  confirm(name, ARGV[12], source, token .. ' reinforced')
  return done('reinforced', name)
end

-- Write the hash as memory `name`, whose present state, if it has one, has been moved away. `own` is what it keeps.
local function write(name, outcome, version, own, related)
  local at = whole(now)
  own.c, own.u, own.a, own.w, own.h = own.c or at, at, at, at, '1'
  own.o, own.i = token .. ' ' .. outcome, identity
  if related ~= '' then own.g = related end
  if source ~= '' then own.j = source end
  for field, value in pairs(told) do own[field] = value end
  own.b = version > 1 and version or nil
  local old = fact and read_fact(fact)
  if old and old.from == '-' then own.F = old.text end
  write_hash(stem .. name, own)
  redis.call('HSET', known, identity, name)
  if fact then set_fact(fact, name, fact_value, source, past_ttl, starts) end
  expire(name, ttl, 0)
  if ttl ~= '' then sweep() end
  return done(outcome, name, related)
end

local function add(related)
  local past = past_of(member) -- of one that was so named before: its versions go on counting, but it is not a change
  local version = math.max(past + 1, told.b or 1)
  return write(member, 'added', version, past > 0 and not imported and {B = 0} or {}, related)
end

local function supersede(name)
  local again = replayed(name)
  if again then return again end
  local old = redis.call('HMGET', stem .. name, 'c', 'q', 'r', 'y', 'p', 's')
  local version = version_of(name) + 1
  local own = {c = old[1] or nil, q = old[2] or nil, r = old[3] or nil, y = old[4] or nil, p = old[5] or nil}
  if old[6] ~= fact then release(name, old[6], past_ttl, starts) end
  own.P, own.d = version - 1, displace(name, version, identity, fact, past_ttl)
  if own.d == '' then own.d = nil end
  retire(name, past_ttl, name .. ' ' .. version, starts)
  return write(name, 'superseded', version, own, '')
end

-- Whether a memory is not true any more, and this one is, or was at another time: it is no confirmation of that.
local function is_over(name)
  local ended = redis.call('HGET', stem .. name, 'z')
  return ended and tonumber(ended) <= now and ended ~= told.z
end

-- Something says the same already. It is confirmed, unless this says more: a fact that it stands for, or that it is so
-- again.
local function meet(name)
  if fact or is_over(name) then return supersede(name) end
  return reinforce(name)
end

local function neighbours()
  local found = redis.call('FT.SEARCH', index, ARGV[15], 'RETURN', 4, '__d', 'v', 'a', 'b', 'SORTBY', '__d', 'ASC',
    'LIMIT', 0, 8, 'PARAMS', 2, 'v', ARGV[16], 'TIMEOUT', 0, 'DIALECT', 2)
  local near, related = {'judge'}, {}
  for i = 2, #found, 2 do
    local name = string.sub(found[i], #stem + 1)
    local fields = {}
    for j = 1, #(found[i + 1] or {}), 2 do fields[found[i + 1][j]] = found[i + 1][j + 1] end
    local distance = tonumber(fields.__d or 'nan')
    local judged = string.find(differing, ' ' .. name .. ' ', 1, true)
    if fields.v and distance <= tonumber(ARGV[17]) and not judged then
      near[#near + 1] = name
      near[#near + 1] = fields.v
      near[#near + 1] = fields.a or ''
      near[#near + 1] = fields.b or ''
      near[#near + 1] = fields.__d
    elseif fields.v and distance <= tonumber(ARGV[18]) then
      related[#related + 1] = name
    end
  end
  return near, table.concat(related, ' ')
end

-- The fact has a value already: the memory that holds it says the same, also where that is in newer words, or has ended by
-- what they say; or it is superseded.
local function settle_fact()
  local old = read_fact(fact)
  if not old or old.from == '-' or not there(old.from) then return end
  local holder = redis.call('HMGET', stem .. old.from, 'i', 'm')
  local newer = said_later(fact)
  local same = holder[2] == fact_value and (newer or holder[1] == identity and not is_over(old.from))
  if same then return reinforce(old.from) end
  return supersede(old.from)
end

local function replace()
  local name, version = string.match(replaces, '^(%S+) ?(%d*)$')
  local again = replayed(name)
  if again then return again end
  if not there(name) then return {'missing', name}, true end
  if version ~= '' and version_of(name) ~= tonumber(version) then return {'changed', name}, true end
  return supersede(name)
end

-- Whether a memory may stand for what this one does: it stands for no fact, or this one for none and it is still so.
local function is_open(name)
  return redis.call('HEXISTS', stem .. name, 's') == 0 or not fact and not is_over(name)
end

-- What comes from an export is added as it was, unless it is there: by its name, by its fact, or in the same words. That
-- this version of it is past is known here, too: it was retired since, or its place was taken.
local function restore(twin)
  if there(member) then return done('kept', member) end
  local past = past_of(member)
  if past >= tonumber(told.b or 1) then return {'kept', member, past, ''} end
  local old = fact and read_fact(fact)
  if old and old.from ~= member then return done('kept', old.from) end
  if twin and not fact and redis.call('HEXISTS', stem .. twin, 's') == 0 then return done('kept', twin) end
  local _, related = nil, ''
  if index ~= '' then _, related = neighbours() end
  return add(related)
end

local function is_past() return told.z and tonumber(told.z) <= now end

-- It was over before this was said: it tells of the past, and stands for nothing. What comes from an export stands for
-- what it stood for there: its fact was taken in first.
local function is_bygone()
  if not fact or not is_past() then return false end
  local old = imported and read_fact(fact)
  return not old or old.from ~= member
end

-- Says in the words of what stands for the fact that this has ended: that is what it takes the place of.
local function end_fact()
  local old = read_fact(fact)
  if replaces == '' and old and tonumber(old.since) < tonumber(told.z) and there(old.from)
    and redis.call('HGET', stem .. old.from, 'i') == identity then replaces = old.from end
  if not told.a then starts = tonumber(told.z) end
  hear(ARGV[22], ARGV[23], tonumber(told.z))
end

-- Until when this was so, if something else was said later of the fact that it would set or end. What comes from an export
-- ends nothing, and where such a fact is there, that stays; but it does not bring back what was said to have ended since.
local function was_until()
  if imported then return fact and not read_fact(fact) and said_later(fact) end
  local name = string.match(replaces, '^%S+')
  local held = name and redis.call('HGET', stem .. name, 's')
  local old = held and held ~= fact and read_fact(held)
  return fact and overtaken(fact, fact_value) or old and old.from == name and overtaken(held)
end

local function take()
  local again = replayed(member)
  if again then return again end
  local last = was_until()
  if last then -- then it is one of the past, and takes the place of nothing
    if there(member) then return done('kept', member) end
    fact, told.s, told.m, replaces = nil, nil, nil, ''
    told.z = whole(math.max(math.min(last, told.z or last), told.a or last)) -- it does not end before it begins
  end
  local twin = redis.call('HGET', known, identity)
  if twin and redis.call('HGET', stem .. twin, 'i') ~= identity then twin = nil end
  if is_bygone() then
    if not imported then end_fact() end
    fact, told.s, told.m = nil, nil, nil
  end
  if imported then return restore(twin) end
  if replaces ~= '' then return replace() end
  local settled = fact and settle_fact()
  if settled then return settled end
  if twin and is_open(twin) then return meet(twin) end
  if there(member) then return supersede(member) end -- it was given an id that is taken: what it is now
  if same ~= '' and there(same) and is_open(same) then
    if outdone == '' or is_past() then return meet(same) end
    if version_of(same) == tonumber(outdone) then return supersede(same) end -- else it has changed since
  end
  if index == '' then return add('') end
  local near, related = neighbours()
  if #near > 1 then return near, true end
  return add(related)
end

return once(ARGV[19], ARGV[20], take)
