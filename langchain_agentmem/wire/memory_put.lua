-- uses: memory
-- Remember something: find out whether it is known, and write, in one step.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua, for the memory that it becomes when it is new
-- ARGV[3] token of this call, so that a replay changes nothing  [4] identity  [5] ttl in ms, '' = never
-- ARGV[6] ttl in ms of what is superseded
-- ARGV[7] member of the memory that it replaces, then, if that matters, a space and the version it must have; '' = none
-- ARGV[8] fact it stands for, '' = none  [9] the fact's value
-- ARGV[10] member that the client found to say the same, '' = none  [11] members that the client found to differ, in spaces
-- ARGV[12] share by which confidence grows towards 1 when it is confirmed  [13] where this came from, JSON, '' = nowhere
-- ARGV[14] search index, '' = the client has looked for neighbours itself  [15] query for neighbours  [16] vector
-- ARGV[17] farthest distance of a duplicate  [18] farthest distance of a related memory
-- ARGV[19] key that keeps the answer to this operation, '' = it has no name  [20] for how many seconds
-- ARGV[21..] the hash: field, value...
-- Returns {'added' | 'reinforced' | 'superseded', member, version, related members in spaces}, or, with nothing written,
-- {'judge', ...}: neighbours so near that the client must say whether they say the same, as member, value, distance...
-- {'missing', member}: there is no such memory to replace. {'changed', member}: it has another version.
local token, identity, ttl, past_ttl, replaces = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local fact, fact_value, same, differing = ARGV[8], ARGV[9], ARGV[10], ' ' .. ARGV[11] .. ' '
local source, index = ARGV[13], ARGV[14]

local function there(name) return redis.call('EXISTS', stem .. name) == 1 end

local function done(outcome, name, related)
  if fact ~= '' then set_fact(fact, name, fact_value, past_ttl) end
  return {outcome, name, version_of(name), related or ''}
end

-- A replay finds its own token on the memory that it made or changed.
local function replayed(name)
  local last = redis.call('HMGET', stem .. name, 'o', 'g')
  local outcome = last[1] and string.match(last[1], '^' .. token .. ' (%l+)$')
  return outcome and {outcome, name, version_of(name), last[2] or ''}
end

local function learn(name) redis.call('HSET', known, identity, name) end

local function reinforce(name)
  local again = replayed(name)
  if again then return again end
  confirm(name, ARGV[12], source)
  redis.call('HSET', stem .. name, 'o', token .. ' reinforced')
  return done('reinforced', name)
end

-- Write the hash as memory `name`, whose present state, if it has one, has been moved away.
local function write(name, outcome, kept, version, related)
  local own = {c = kept[1] or whole(now), u = whole(now), a = whole(now), h = '1', o = token .. ' ' .. outcome, i = identity}
  own.w = own.a
  own.q, own.r, own.y, own.p = kept[2] or nil, kept[3] or nil, kept[4] or nil, kept[5] or nil
  if version > 1 then own.b = tostring(version) end
  if related ~= '' then own.g = related end
  if source ~= '' then own.j = source end
  local words = {}
  for i = 21, #ARGV, 2 do own[ARGV[i]] = ARGV[i + 1] end
  for field, value in pairs(own) do
    words[#words + 1] = field
    words[#words + 1] = value
  end
  redis.call('HSET', stem .. name, unpack(words))
  learn(name)
  expire(name, ttl, 0)
  return done(outcome, name, related)
end

local function supersede(name, related)
  local again = replayed(name)
  if again then return again end
  local kept = redis.call('HMGET', stem .. name, 'c', 'q', 'r', 'y', 'p')
  local version = version_of(name) + 1
  local stood_for = redis.call('HGET', stem .. name, 's')
  local old = stood_for and stood_for ~= fact and read_fact(stood_for)
  if old and old.from == name then drop_fact(stood_for, past_ttl) end
  retire(name, past_ttl)
  return write(name, 'superseded', kept, version, related or '')
end

local function neighbours()
  local found = redis.call('FT.SEARCH', index, ARGV[15], 'RETURN', 2, '__d', 'v', 'SORTBY', '__d', 'ASC',
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
      near[#near + 1] = fields.__d
    elseif fields.v and distance <= tonumber(ARGV[18]) then
      related[#related + 1] = name
    end
  end
  return near, table.concat(related, ' ')
end

local function take()
  local again = replayed(member)
  if again then return again end
  if replaces ~= '' then
    local name, version = string.match(replaces, '^(%S+) ?(%d*)$')
    local again = replayed(name)
    if again then return again end
    if not there(name) then return {'missing', name}, true end
    if version ~= '' and version_of(name) ~= tonumber(version) then return {'changed', name}, true end
    return supersede(name)
  end
  local twin = redis.call('HGET', known, identity)
  if twin and redis.call('HGET', stem .. twin, 'i') == identity then return reinforce(twin) end
  if there(member) then return supersede(member) end -- it was given an id that is taken: what it is now
  local current = fact ~= '' and read_fact(fact)
  if current and current.from ~= '-' and there(current.from) then return supersede(current.from) end
  if same ~= '' and there(same) then return reinforce(same) end
  local related = ''
  if index ~= '' then
    local near
    near, related = neighbours()
    if #near > 1 then return near, true end
  end
  return write(member, 'added', {}, 1, related)
end

return once(ARGV[19], ARGV[20], take)
