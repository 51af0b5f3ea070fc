-- uses: thread
-- How a namespace's checkpoints are laid out. Prelude: defines functions, runs nothing.
--   …:head HASH  id; @ record; g last generation; v<channel> value; w<task> rows; l<generation><i> chunk
--   …:past HASH  r<id> record; b<channel><version> value; w<id> rows of all tasks; l<generation><i> chunk
--   …:ids  ZSET  ids of the records in past, all of score 0
-- A value is in head if the head's record names its version, else in past: in one place, once. So a server that evicts
-- the head has lost the namespace, and one that evicts past has lost all but the current checkpoint.
-- record = frames: parent, versions, aux, rest of the checkpoint, metadata (the last two are opaque here)
--   versions = msgpack {channel, version, ...}; aux = msgpack {run id, id of the root checkpoint, delta channel...}
-- value  = 'p' opaque  |  'L' generation length count digest: the first `length` bytes of a generation's chunks
-- row    = frame(frame(index task) frame(path) frame(channel) ...); an index under 0 replaces, any other is kept
local CHUNK = 8192

local function frame(text) return struct.pack('>I4c0', #text, text) end
local function field_of_blob(channel, version) return 'b' .. frame(channel) .. version end
local function field_of_chunk(generation, i) return 'l' .. struct.pack('>I4I4', generation, i) end

-- Bytewise, as the client compares: Lua's own `<` follows the server's locale.
local function less(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function open_record(record)
  local parent, versions, aux, at
  parent, at = struct.unpack('>I4c0', record)
  versions, at = struct.unpack('>I4c0', record, at)
  aux, at = struct.unpack('>I4c0', record, at)
  local flat, map = cmsgpack.unpack(versions), {}
  for i = 1, #flat, 2 do map[flat[i]] = flat[i + 1] end
  return {parent = parent, versions = map, aux = cmsgpack.unpack(aux), rest = at}
end

local function orphaned_record(record) -- the same record without its parent
  local _, at = struct.unpack('>I4c0', record)
  return frame('') .. string.sub(record, at)
end

local function open_log(value)
  if not value or string.byte(value) ~= 76 then return nil end
  local generation, length, count, digest = struct.unpack('>I4I4I4c16', value, 2)
  return {generation = generation, length = length, count = count, digest = digest}
end

local function pack_log(log)
  return 'L' .. struct.pack('>I4I4I4c16', log.generation, log.length, log.count, log.digest)
end

-- Write bytes at the end of a generation of `length` bytes; chunk i holds the bytes from i * CHUNK on.
local function extend(head, generation, length, bytes)
  local i, at = math.floor(length / CHUNK), 1
  local room = CHUNK - length % CHUNK
  local start = room < CHUNK and redis.call('HGET', head, field_of_chunk(generation, i)) or ''
  while at <= #bytes do
    redis.call('HSET', head, field_of_chunk(generation, i), start .. string.sub(bytes, at, at + room - 1))
    i, at, room, start = i + 1, at + room, CHUNK, ''
  end
end

local function chunk_fields(key, generation)
  local fields, i = {}, 0
  while redis.call('HEXISTS', key, field_of_chunk(generation, i)) == 1 do
    fields[#fields + 1] = field_of_chunk(generation, i)
    i = i + 1
  end
  return fields
end

local function move_fields(from, to, fields)
  for _, field in ipairs(fields) do
    redis.call('HSET', to, field, redis.call('HGET', from, field))
    redis.call('HDEL', from, field)
  end
end

-- The first `length` bytes of a generation, which lies whole either in head or in past.
local function read_log(ns, log)
  local key, parts = head_of(ns), {}
  if redis.call('HEXISTS', key, field_of_chunk(log.generation, 0)) == 0 then key = past_of(ns) end
  for i = 0, math.ceil(log.length / CHUNK) - 1 do
    parts[#parts + 1] = redis.call('HGET', key, field_of_chunk(log.generation, i)) or '' -- lost: the client will say so
  end
  return string.sub(table.concat(parts), 1, log.length)
end

local function each_row(rows, act)
  local at = 1
  while at <= #rows do
    local row, after = struct.unpack('>I4c0', rows, at)
    act(struct.unpack('>I4c0', row), string.sub(rows, at, after - 1), row)
    at = after
  end
end

-- Add rows to rows, each key once.
local function merge_rows(stored, added)
  local order, kept = {}, {}
  local function take(key, row)
    if not kept[key] then order[#order + 1] = key end
    if not kept[key] or string.byte(key) >= 128 then kept[key] = row end
  end
  each_row(stored, take)
  each_row(added, take)
  for i, key in ipairs(order) do order[i] = kept[key] end
  return table.concat(order)
end

local function add_rows(key, field, rows)
  local stored = redis.call('HGET', key, field)
  redis.call('HSET', key, field, stored and merge_rows(stored, rows) or rows)
end

local function head_write_fields(head)
  local fields = {}
  for _, field in ipairs(redis.call('HKEYS', head)) do
    if string.byte(field) == 119 then fields[#fields + 1] = field end
  end
  return fields
end

local function rows_of_head(head)
  local rows = {}
  for _, field in ipairs(head_write_fields(head)) do rows[#rows + 1] = redis.call('HGET', head, field) end
  return table.concat(rows)
end

-- The value of a channel at a version, wherever it is.
local function value_at(ns, top, channel, version)
  if top and top.versions[channel] == version then return redis.call('HGET', head_of(ns), 'v' .. channel) end
  return redis.call('HGET', past_of(ns), field_of_blob(channel, version))
end

local function top_of(ns)
  local found = redis.call('HMGET', head_of(ns), 'id', '@')
  if not found[1] then return nil end
  local top = open_record(found[2])
  top.id, top.record = found[1], found[2]
  return top
end

-- Put the head's own record and rows away, before another checkpoint takes its place.
local function retire_top(ns, top)
  local head, past = head_of(ns), past_of(ns)
  redis.call('HSET', past, 'r' .. top.id, top.record)
  redis.call('ZADD', ids_of(ns), 0, top.id)
  local fields, rows = head_write_fields(head), {}
  for i, field in ipairs(fields) do rows[i] = redis.call('HGET', head, field) end
  if #rows > 0 then
    redis.call('HSET', past, 'w' .. top.id, table.concat(rows))
    for _, field in ipairs(fields) do redis.call('HDEL', head, field) end
  end
end

-- Exchange the head's value of one channel: the old one goes to past under its version, and a log's chunks go with it
-- unless the new value reads the same generation. `fresh` = a value from outside; nil = the stored one of that version.
local function exchange(ns, top, channel, version, fresh)
  local head, past = head_of(ns), past_of(ns)
  local old_version = top and top.versions[channel]
  local old = old_version and redis.call('HGET', head, 'v' .. channel)
  if fresh == nil and version then
    local blob = field_of_blob(channel, version)
    fresh = redis.call('HGET', past, blob)
    if fresh then redis.call('HDEL', past, blob) end
  end
  local old_log, new_log = open_log(old), open_log(fresh)
  if old and old_version ~= version then redis.call('HSET', past, field_of_blob(channel, old_version), old) end
  if old_log and not (new_log and new_log.generation == old_log.generation) then
    move_fields(head, past, chunk_fields(head, old_log.generation))
  end
  if new_log and not (old_log and old_log.generation == new_log.generation) then
    move_fields(past, head, chunk_fields(past, new_log.generation))
  end
  if fresh then redis.call('HSET', head, 'v' .. channel, fresh) else redis.call('HDEL', head, 'v' .. channel) end
end

-- Make the head's values those that `versions` names; channels in `sent` are left to the caller.
local function switch(ns, top, versions, sent)
  for channel, version in pairs(top and top.versions or {}) do
    if not sent[channel] and versions[channel] ~= version then exchange(ns, top, channel, versions[channel], nil) end
  end
  for channel, version in pairs(versions) do
    if not sent[channel] and not (top and top.versions[channel]) then exchange(ns, top, channel, version, nil) end
  end
end

-- Rows that came before their checkpoint, or belong to one that becomes the head again.
local function adopt_rows(ns, id)
  local head, past = head_of(ns), past_of(ns)
  local rows = redis.call('HGET', past, 'w' .. id)
  if not rows then return end
  local by_task = {}
  each_row(rows, function(key, row)
    local task = string.sub(key, 5)
    by_task[task] = (by_task[task] or '') .. row
  end)
  for task, of_task in pairs(by_task) do add_rows(head, 'w' .. task, of_task) end
  redis.call('HDEL', past, 'w' .. id)
end
