-- uses: item
-- What the scripts over memories share: operations, versions of a memory, and the facts that memories stand for.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- A memory that is present lies in its item's hash. What it was lies beside it, as `:v1`, `:v2` ..., until it expires.
-- Each state says in its fields what an undo needs: `R` the reinforcements of it, `B` the version to go back to when
-- that is not the one before, `d` the memories that it displaced, `F` the fact that it took over; and, of the past, `D`
-- what took its place.
local PAST = {l = 'h', e = 'x', o = 'w'} -- what the letters of its tags become when it is past: only 'h' is asked for
local PRESENT = {h = 'l', x = 'e', w = 'o'}
local MANY = 1000 -- as many arguments as Lua passes on without complaint
local KEPT = '^[^;]*' .. string.rep(';?[^;]*', 6) -- the last seven reinforcements: with the newest, eight can be undone

-- An operation is made once: its answer is kept under the key `done` for some seconds ('' = it has no key), and whoever
-- asks for it again gets that. A change that says, by a second result, that it was not made keeps nothing.
local function once(done, seconds, change)
  local before = done ~= '' and redis.call('GET', done)
  if before then return cjson.decode(before) end
  local answer, refused = change()
  if done ~= '' and not refused then redis.call('SET', done, cjson.encode(answer), 'EX', seconds) end
  return answer
end

local function there(name) return redis.call('EXISTS', stem .. name) == 1 end

-- A memory's version. Versions count from 1; where it is 1 nothing is written down.
local function version_of(name) return tonumber(redis.call('HGET', stem .. name, 'b') or 1) end

-- The number of its last version that is past; 0: there is none.
local function past_of(name) return tonumber(redis.call('HGET', known, '#' .. name) or 0) end

local function turned(tags, letters)
  return (string.gsub(tags, '(%w)(%w+)', function(letter, digest) return (letters[letter] or letter) .. digest end))
end

local function write_hash(key, own)
  local words = {}
  for field, value in pairs(own) do
    words[#words + 1] = field
    words[#words + 1] = value
  end
  for at = 1, #words, MANY do redis.call('HSET', key, unpack(words, at, math.min(at + MANY - 1, #words))) end
end

local function read_hash(key)
  local own, found = {}, redis.call('HGETALL', key)
  for i = 1, #found, 2 do own[found[i]] = found[i + 1] end
  return own
end

-- What is known of the past is kept as long as the past, and when a fact was last said as long after that.
local function keep_known(ttl)
  local last = now_ms + ttl
  if last > tonumber(redis.call('HGET', known, '~') or 0) then redis.call('HSET', known, '~', whole(last)) end
  local left = redis.call('PTTL', known)
  if left >= 0 and left < tonumber(ttl) then redis.call('PEXPIRE', known, ttl) end
end

-- A fact is 'version since member value\nsource': microseconds, below zero before 1970; the memory it comes from ('-' =
-- none); the value and where it was said, both JSON, which has no line breaks.
local function parse_fact(text)
  local version, since, from, value, source = string.match(text, '^(%d+) (%-?%d+) (%S+) ([^\n]*)\n?(.*)$')
  return {version = tonumber(version), since = since, from = from, value = value, source = source, text = text}
end

local function read_fact(name)
  local text = redis.call('HGET', facts, name)
  return text and parse_fact(text)
end

-- When what a script is about was said, in microseconds, and in which thread; nil: it is done by hand. What is done by
-- hand counts as said now, or as of the time that it tells.
local said, thread
local as_of = now

local function hear(when, where, told)
  if when ~= '' then said, thread = math.min(tonumber(when), now), where end
  as_of = said or math.min(told or now, now)
end

-- What is known of a fact beside what it is, 'version said thread': its last version that is past, 0 = none; when it was
-- last said what it is, or that it is not, and in which thread. Without the last two, as where `known` expired before the
-- fact, it was said when it came to be so; of one that is not, nothing was said.
local function noted(name)
  local text = redis.call('HGET', known, '!' .. name) or '0'
  local version, last, where = string.match(text, '^(%d+) ?(%-?%d*) ?(.*)$')
  local fact = last == '' and read_fact(name)
  return tonumber(version), tonumber(fact and fact.since or last), where
end

local function note(name, version, last, where)
  redis.call('HSET', known, '!' .. name, last and version .. ' ' .. whole(last) .. ' ' .. where or version)
end

-- Note that it is said what a fact is, or that it is not; `version`: the last that is past, if that is another now. What
-- was said later stays said later.
local function say(name, version)
  local past, last, where = noted(name)
  if not last or as_of > last then last, where = as_of, thread or '' end
  note(name, version or past, last, where)
end

-- Keep what a fact was: 'until' and its text, for `ttl` ms.
local function keep_fact(name, old, ttl, ended)
  local till = whole(math.max(ended or now, old.since)) -- it does not end before it begins
  redis.call('SET', facts .. ':' .. name .. ':' .. old.version, till .. ' ' .. old.text, 'PX', ttl)
  say(name, old.version)
  keep_known(ttl)
end

-- Set a fact, as it is since `since`; the one that was becomes its past. The same value again changes nothing but where
-- it comes from, and when it was last said.
local function set_fact(name, from, value, source, ttl, since)
  local old = read_fact(name)
  local version = 1 + (old and old.version or noted(name))
  local start = whole(since or now)
  if old and old.value == value then
    version, start = old.version, old.since
    if source == '' then source = old.source end
  elseif old then
    keep_fact(name, old, ttl, since)
  end
  say(name)
  keep_known(ttl)
  local text = version .. ' ' .. start .. ' ' .. from .. ' ' .. value
  redis.call('HSET', facts, name, source == '' and text or text .. '\n' .. source)
  return version
end

-- A fact is not so any more. That this was said is kept, so that what was said before and comes in late revives nothing.
local function drop_fact(name, ttl, ended)
  local old = read_fact(name)
  if not old then
    say(name)
    return keep_known(ttl)
  end
  keep_fact(name, old, ttl, ended)
  redis.call('HDEL', facts, name)
end

local TICK = 1000 -- microseconds: ids and clients tell no finer time

-- When something was last said of a fact, if what is said now comes in late: it was said before that, and elsewhere. What a
-- thread says comes in in its order, whatever its clocks say; but what is done by hand, by an agent there too, is done
-- after that was heard.
local function said_later(name)
  if not said then return end
  local _, last, where = noted(name)
  if last and last > said + TICK and (where == '' or where ~= thread) then return last end
end

-- Until when it was so that a fact is `value`, or is not, if that comes in late and something else was said later, be it
-- only that the fact is not so any more; else nil.
local function overtaken(name, value)
  local last, fact = said_later(name), read_fact(name)
  if not last or not fact then return last end
  local since = tonumber(fact.since)
  if fact.value ~= value then return since > said and since or last end
end

-- The version of the fact that a memory stands for, if that is not the one that is `expected`, '' = any; 0: it stands for
-- none.
local function unexpected(name, expected)
  if expected == '' then return end
  local held = redis.call('HGET', stem .. name, 's')
  local fact = held and read_fact(held)
  local version = fact and fact.from == name and fact.version or 0
  if version ~= tonumber(expected) then return version end
end

-- A memory no longer stands for the fact that it stood for: the fact goes too, unless it comes from elsewhere by now.
local function release(name, fact, ttl, ended)
  local old = fact and read_fact(fact)
  if old and old.from == name then drop_fact(fact, ttl, ended) end
end

-- What is known of memories that have expired is forgotten bit by bit: a few entries are looked at whenever something
-- that will expire is written.
local function sweep()
  local some = redis.call('HRANDFIELD', known, 4, 'WITHVALUES')
  for i = 1, #some, 2 do
    local field, value = some[i], some[i + 1]
    local kind, name = string.match(field, '^([#!~]?)(.*)$')
    if kind == '' and not there(value) or kind == '#' and redis.call('EXISTS', stem .. name .. ':v' .. value) == 0 then
      redis.call('HDEL', known, field)
    end
  end
end

-- Move what a memory is now into its past: out of every search that does not ask for the past, for `ttl` ms.
-- `successor`: member and version of what takes its place, if anything does. `ended`: since when it is not so.
local function retire(name, ttl, successor, ended)
  local key, version = stem .. name, version_of(name)
  local past = key .. ':v' .. version
  unlearn(name)
  local kept = redis.call('HMGET', key, 'n', 'e', 'z', 'a')
  local last = math.min(ended or now, now)
  last = math.max(last, kept[4] or last) -- it does not end before it begins
  for _, vector in ipairs(beside(name, 'x', kept[2])) do redis.call('DEL', vector) end
  redis.call('RENAME', key, past)
  redis.call('HDEL', past, 'e')
  redis.call('HSET', past, 'n', turned(kept[1], PAST), 'z', whole(math.min(last, kept[3] or last)), 'Z', kept[3] or '',
    'D', successor or '')
  redis.call('PEXPIRE', past, ttl)
  redis.call('HSET', known, '#' .. name, version)
  keep_known(ttl)
  redis.call('ZREM', items, name)
  sweep()
end

-- Version `version` of memory `name` says `identity` and stands for `fact`: nothing else that is present may. What did
-- is past from now on. Only what says the same and stands for a fact of its own stays; and, where `name` comes back with
-- a fact, what stands for none, as both may have been there before. Returns the members displaced.
local function displace(name, version, identity, fact, ttl, comes_back)
  local gone = {}
  local function leave(other)
    if other ~= name and other ~= '-' and there(other) then
      retire(other, ttl, name .. ' ' .. version)
      gone[#gone + 1] = other
    end
  end
  local twin = identity and redis.call('HGET', known, identity)
  if twin and redis.call('HEXISTS', stem .. twin, 's') == 0 and not (fact and comes_back) then leave(twin) end
  local held = fact and read_fact(fact)
  if held then leave(held.from) end
  return table.concat(gone, ' ')
end

-- A hash that was written back is a memory of the present again: it is known by what it says, its fact is so again, which
-- is said now; unless it `stands` for it already.
local function settle(name, ttl, stands)
  local own = redis.call('HMGET', stem .. name, 'i', 's', 'm', 'j', 'l')
  if own[1] then redis.call('HSET', known, own[1], name) end
  if own[2] and not stands then
    set_fact(own[2], name, own[3] or 'null', string.match(own[4] or '', '[^\n]*$'), ttl)
  end
  expire(name, own[5], 0)
end

-- Make the last version that is past the present again, as if it had never gone.
local function unretire(name, ttl)
  local version = past_of(name)
  local key, past = stem .. name, stem .. name .. ':v' .. version
  local old = redis.call('HMGET', past, 'i', 's', 'n', 'Z')
  displace(name, version, old[1], old[2], ttl, true)
  redis.call('RENAME', past, key)
  redis.call('PERSIST', key)
  redis.call('HDEL', key, 'D', 'Z')
  redis.call('HSET', key, 'n', turned(old[3], PRESENT))
  if old[4] == '' then redis.call('HDEL', key, 'z') else redis.call('HSET', key, 'z', old[4]) end
  if version > 1 then
    redis.call('HSET', known, '#' .. name, version - 1)
  else
    redis.call('HDEL', known, '#' .. name)
  end
  settle(name, ttl)
end

-- Note on a memory that it was remembered again: its hits, confidence and sources grow, its time to live starts anew,
-- and its fact was said again.
-- `call`: the field `o`, by which a replay knows that it was done; if it is not known by its operation.
local function confirm(name, share, source, call)
  local old = redis.call('HMGET', stem .. name, 'k', 'j', 'l', 'e', 'h', 'u', 'R', 's')
  local confidence, sources, earlier = tonumber(old[1] or 0.5), old[2] or '', old[7]
  local before = (old[1] or 0.5) .. ' ' .. (old[6] or whole(now)) .. ' ' .. #sources
  if earlier then before = before .. ';' .. string.match(earlier, KEPT) end
  if source ~= '' and not string.find(sources, source, 1, true) and #sources < 4096 then
    sources = sources == '' and source or sources .. '\n' .. source
  end
  local changes = {'h', (old[5] or 1) + 1, 'k', confidence + (1 - confidence) * share, 'u', whole(now), 'R', before}
  for field, value in pairs({o = call, j = sources ~= '' and sources or nil}) do
    changes[#changes + 1] = field
    changes[#changes + 1] = value
  end
  redis.call('HSET', stem .. name, unpack(changes))
  local fact = old[8] and read_fact(old[8])
  if fact and fact.from == name then say(old[8]) end
  if old[3] then expire(name, old[3], old[4]) end
end
