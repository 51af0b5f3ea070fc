-- uses: item
-- What the scripts over memories share: versions of a memory, and the facts that memories stand for.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua

-- An operation is made once: its answer is kept under the key `done` for some seconds ('' = it has no key), and whoever
-- asks for it again gets that. A change that says, by a second result, that it was not made keeps nothing.
local function once(done, seconds, change)
  local before = done ~= '' and redis.call('GET', done)
  if before then return cjson.decode(before) end
  local answer, refused = change()
  if done ~= '' and not refused then redis.call('SET', done, cjson.encode(answer), 'EX', seconds) end
  return answer
end

-- A memory's version. Versions count from 1; where it is 1 nothing is written down.
local function version_of(name) return tonumber(redis.call('HGET', stem .. name, 'b') or 1) end

-- Move what a memory is now into its past: out of every search that does not ask for the past, for `ttl` ms.
local function retire(name, ttl)
  local key, version = stem .. name, version_of(name)
  local past = key .. ':v' .. version
  unlearn(name)
  local kept = redis.call('HMGET', key, 'n', 'e', 'z')
  for _, vector in ipairs(beside(name, 'x', kept[2])) do redis.call('DEL', vector) end
  redis.call('RENAME', key, past)
  local tags = string.gsub(kept[1], '(%w)(%w+)', function(letter, digest)
    return (letter == 'l' and 'h' or 'x') .. digest -- 'x' is asked for by nobody
  end)
  redis.call('HDEL', past, 'e', 'l')
  redis.call('HSET', past, 'n', tags, 'z', whole(math.min(now, kept[3] or now)), 'Z', kept[3] or '')
  redis.call('PEXPIRE', past, ttl)
  redis.call('HSET', known, '#' .. name, version)
  redis.call('ZREM', items, name)
  return past
end

-- A fact is 'version since member value': microseconds, the memory it comes from ('-' = none), the value as JSON.
local function read_fact(name)
  local text = redis.call('HGET', facts, name)
  if not text then return nil end
  local version, since, from, value = string.match(text, '^(%d+) (%d+) (%S+) (.*)$')
  return {version = tonumber(version), since = since, from = from, value = value, text = text}
end

-- Keep what a fact was: 'until version since member value', for `ttl` ms.
local function keep_fact(name, old, ttl)
  redis.call('SET', facts .. ':' .. name .. ':' .. old.version, whole(now) .. ' ' .. old.text, 'PX', ttl)
  redis.call('HSET', known, '!' .. name, old.version)
end

-- Set a fact; the one that was becomes its past. The same value again changes nothing but where it comes from.
local function set_fact(name, from, value, ttl)
  local old = read_fact(name)
  local version = 1 + (old and old.version or tonumber(redis.call('HGET', known, '!' .. name) or 0))
  local since = whole(now)
  if old and old.value == value then
    version, since = old.version, old.since
  elseif old then
    keep_fact(name, old, ttl)
  end
  redis.call('HSET', facts, name, version .. ' ' .. since .. ' ' .. from .. ' ' .. value)
  return version
end

local function drop_fact(name, ttl)
  local old = read_fact(name)
  if old then
    keep_fact(name, old, ttl)
    redis.call('HDEL', facts, name)
  end
  return old
end

-- Note on a memory that it was remembered again: its hits, confidence and sources grow, its time to live starts anew.
local function confirm(name, share, source)
  local old = redis.call('HMGET', stem .. name, 'k', 'j', 'l', 'e', 'h')
  local confidence, sources = tonumber(old[1] or 0.5), old[2] or ''
  if source ~= '' and not string.find(sources, source, 1, true) and #sources < 4096 then
    sources = sources == '' and source or sources .. '\n' .. source
  end
  local changes = {'h', (old[5] or 1) + 1, 'k', confidence + (1 - confidence) * share, 'u', whole(now)}
  if sources ~= '' then
    changes[#changes + 1] = 'j'
    changes[#changes + 1] = sources
  end
  redis.call('HSET', stem .. name, unpack(changes))
  if old[3] then expire(name, old[3], old[4]) end
end
