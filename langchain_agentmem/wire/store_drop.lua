-- uses: memory
-- Delete an item, with all it was and all the facts it stood for.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] for how many ms that can be undone; none, or '': it is for good
-- ARGV[4] when it was last changed, in microseconds: it is spared if it was changed, retired or pinned since; none: it is not
-- Returns 1 if there was one, else 0; -1 if it is spared.
local undoable = ARGV[3] ~= '' and ARGV[3]
local past = past_of(member)
local kept = {['#'] = past}
if undoable and past == 0 and not there(member) then return 0 end -- a replay must not lose what the first run kept
local own = redis.call('HMGET', item, 'u', 'p')
if ARGV[4] and (own[2] or not own[1] and past > 0 or tonumber(own[1] or 0) > tonumber(ARGV[4])) then return -1 end

-- The facts that it stood for, ever.
local names = {}
for version = 0, past do
  local name = redis.call('HGET', version == 0 and item or item .. ':v' .. version, 's')
  if name then names[name] = true end
end
for _, field in ipairs(undoable and {} or redis.call('HKEYS', gone)) do -- also as what was forgotten before
  local name = string.match(field, '^[F!](.+)$') or string.match(field, '^f(.+):%d+$')
  if name then names[name] = true end
end

-- What a fact is and was, as far as it comes from here; and when it was last said what it is, or that it is not.
local held, were, counted, noting = {}, {}, {}, {}
for name in pairs(names) do
  local fact, others, newest = read_fact(name), false, ''
  local last, at, where = noted(name)
  if fact and fact.from == member then
    kept['F' .. name], held[name] = fact.text, fact.version
  end
  for version = 1, last do
    local key = facts .. ':' .. name .. ':' .. version
    local text = redis.call('GET', key)
    newest = text and string.match(text, '^%-?%d+ %d+ %-?%d+ (%S+)')
    if newest == member then
      kept['f' .. name .. ':' .. version], were[#were + 1] = text, key
    elseif text then
      others = true
    end
  end
  counted[name] = others or fact and not held[name]
  if at and (held[name] or not fact and (not newest or newest == member)) then
    kept['!' .. name], noting[name] = whole(at) .. ' ' .. where, held[name] or last
  end
end

-- Nothing is left of what was forgotten under this name before.
local before = redis.call('HMGET', gone, '#', 'e')
for version = 1, before[1] or 0 do redis.call('DEL', gone .. ':v' .. version) end
for vector = 1, before[2] or 0 do redis.call('DEL', gone .. ':x' .. vector) end
local found = redis.call('DEL', gone) == 1 and not undoable

local function move(part)
  if redis.call('EXISTS', item .. part) == 0 then return end
  found = true
  if not undoable then return redis.call('DEL', item .. part) end
  redis.call('RENAME', item .. part, gone .. part)
  redis.call('PEXPIRE', gone .. part, undoable)
end

unlearn(member)
for vector = 1, redis.call('HGET', item, 'e') or 0 do move(':x' .. vector) end
for version = 1, past do move(':v' .. version) end
move('')
if found and undoable then
  write_hash(gone, kept)
  redis.call('PEXPIRE', gone, undoable)
  keep_known(undoable)
end

-- Only what is kept by now is taken away: no server takes back what a script did before it failed. The versions of a fact
-- go on counting while it can come back.
for name in pairs(names) do
  if held[name] then redis.call('HDEL', facts, name) end
  if noting[name] then note(name, noting[name]) end
  if not undoable and not counted[name] then redis.call('HDEL', known, '!' .. name) end
end
for _, key in ipairs(were) do redis.call('DEL', key) end
redis.call('HDEL', known, '#' .. member)
if redis.call('HLEN', known) == 1 then redis.call('HDEL', known, '~') end
redis.call('ZREM', items, member)
register()
return found and 1 or 0
