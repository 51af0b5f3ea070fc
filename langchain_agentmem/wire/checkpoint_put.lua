-- uses: checkpoint
-- Store a checkpoint.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] namespace  [2] checkpoint id  [3] record  [4] ttl in ms, '' = never  [5] registry member  [6] user, escaped, '' = none
-- ARGV[7] '1': the checkpoint has values that are not sent, being stored under its parent or an ancestor
-- ARGV[8..] for each new version: channel, version, then a payload:
--   'e'                                             the channel has no value
--   'p' ...                                         a whole value
--   'N' count digest bytes                          a list: a log of its own
--   'A' base length, base digest, count digest tail a list that continues the log whose end is known by length and digest
-- Returns OK; or, with nothing written, STALE: a tail does not continue what is stored, send the whole list; or LOST: the
-- parent is not stored, so neither are the values that were not sent.
local ns, id, record = ARGV[1], ARGV[2], ARGV[3]
local head, past = head_of(ns), past_of(ns)
local top, new = top_of(ns), open_record(record)
local is_new = redis.call('EXISTS', thread) == 0
local leads = not top or not less(id, top.id)

local parent_stored = top and (new.parent == '' or new.parent == top.id
  or redis.call('HEXISTS', past, 'r' .. new.parent) == 1)
if ARGV[7] == '1' and not parent_stored then return redis.status_reply('LOST') end

local sent = {}
for i = 8, #ARGV, 3 do
  sent[ARGV[i]] = {version = ARGV[i + 1], kind = string.sub(ARGV[i + 2], 1, 1), payload = ARGV[i + 2]}
end

-- Before anything is written: does each tail continue what is stored? A list that is there already is a replay's.
for channel, change in pairs(sent) do
  local log = leads and top and open_log(redis.call('HGET', head, 'v' .. channel))
  local function is_stored(count, digest)
    return log and log.digest == digest and log.count == count and top.versions[channel] == change.version
  end
  if change.kind == 'N' then
    if is_stored(struct.unpack('>I4c16', change.payload, 2)) then change.kind = 'done' end
  elseif change.kind == 'A' then
    local length, base, count, digest, at = struct.unpack('>I4c16I4c16', change.payload, 2)
    if is_stored(count, digest) then
      change.kind = 'done'
    elseif log and log.length == length and log.digest == base then
      change.log = {generation = log.generation, length = length, count = count, digest = digest}
      change.bytes = string.sub(change.payload, at)
    else
      return redis.status_reply('STALE')
    end
  end
end

local function next_generation() return redis.call('HINCRBY', head, 'g', 1) end

-- A whole list as a plain value, for a checkpoint that is not the head: 'p', the type's length and name, the bytes.
local function as_plain(count, bytes)
  local header
  if count < 16 then header = string.char(144 + count)
  elseif count < 65536 then header = '\220' .. struct.pack('>I2', count)
  else header = '\221' .. struct.pack('>I4', count) end
  return 'p\7msgpack' .. header .. bytes
end

local function store_behind(channel, change)
  local value = change.payload
  if change.kind == 'N' then
    local count, _, at = struct.unpack('>I4c16', value, 2)
    value = as_plain(count, string.sub(value, at))
  end
  local blob = field_of_blob(channel, change.version)
  if change.kind == 'e' then redis.call('HDEL', past, blob) else redis.call('HSET', past, blob, value) end
end

local function log_of(change)
  if change.kind == 'N' then
    local count, digest, at = struct.unpack('>I4c16', change.payload, 2)
    local bytes = string.sub(change.payload, at)
    local log = {generation = next_generation(), length = #bytes, count = count, digest = digest}
    extend(head, log.generation, 0, bytes)
    return log
  end
  local log, length = change.log, change.log.length
  local last = redis.call('HSTRLEN', head, field_of_chunk(log.generation, math.floor(length / CHUNK)))
  if last ~= length % CHUNK then -- another branch went on with this generation: continue in a copy
    local common = read_log(ns, log)
    log.generation = next_generation()
    extend(head, log.generation, 0, common)
  end
  extend(head, log.generation, length, change.bytes)
  log.length = length + #change.bytes
  return log
end

local function store_in_head(channel, change)
  local value = false
  if change.kind == 'done' then return end
  if change.kind == 'p' then value = change.payload end
  if change.kind == 'N' or change.kind == 'A' then value = pack_log(log_of(change)) end
  redis.call('HDEL', past, field_of_blob(channel, change.version))
  exchange(ns, top, channel, change.version, value)
end

-- The head was evicted: what past holds of this namespace is incomplete. Rows that wait for their checkpoint stay.
local function clear_ruins()
  for _, old in ipairs(redis.call('ZRANGE', ids_of(ns), 0, -1)) do redis.call('HDEL', past, 'w' .. old) end
  for _, field in ipairs(redis.call('HKEYS', past)) do
    if string.byte(field) ~= 119 then redis.call('HDEL', past, field) end
  end
  redis.call('UNLINK', ids_of(ns))
end

if not top and redis.call('EXISTS', ids_of(ns)) == 1 then clear_ruins() end
if leads then
  if top and top.id ~= id then retire_top(ns, top) end
  local ours = {}
  for channel, change in pairs(sent) do
    if new.versions[channel] == change.version then ours[channel] = change else store_behind(channel, change) end
  end
  switch(ns, top, new.versions, ours)
  for channel, change in pairs(ours) do store_in_head(channel, change) end
  redis.call('HSET', head, 'id', id, '@', record)
  adopt_rows(ns, id)
else
  redis.call('HSET', past, 'r' .. id, record)
  redis.call('ZADD', ids_of(ns), 0, id)
  for channel, change in pairs(sent) do
    if top.versions[channel] == change.version then store_in_head(channel, change) else store_behind(channel, change) end
  end
end

redis.call('SADD', spaces, ns)
local run = new.aux[1]
if run ~= '' then redis.call('HSET', thread, 'r:' .. run, '') end
if ARGV[6] ~= '' then redis.call('HSET', thread, 'user', ARGV[6]) end
if is_new or redis.call('HDEL', thread, 'orphan') == 1 then
  redis.call('HSET', thread, 'created', string.format('%.0f', now_ms()), 'at', '0') -- `at`: an orphan's expiry ends here
end
expire(wanted_ttl(ARGV[4]), ns)
register(ARGV[5], ARGV[6], is_new)
return redis.status_reply('OK')
