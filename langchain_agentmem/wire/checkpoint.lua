-- uses: thread
-- How a namespace's checkpoints are laid out. Prelude: defines functions, runs nothing.
--   …:head HASH  id; @ record; d digest of both; v<channel> value; l<generation><i> chunk; g last generation;
--                w<task> rows; t tasks that have rows
--   …:past HASH  r<id> record; b<channel><version> value; w<id> rows of all tasks; l<generation><i> chunk
--   …:ids  ZSET  ids of the records in past, all of score 0
-- A value is in head if the head's record names its version, else in past: in one place, once. So a server that evicts
-- the head has lost the namespace, and one that evicts past has lost all but the current checkpoint. One that evicts ids
-- has lost the listing of the earlier ones; each can still be read by its id.
-- record = frames: parent, versions, aux, rest of the checkpoint, metadata (the last two are opaque here)
--   versions = msgpack {channel, version, ...}; aux = msgpack {run id, id of the root checkpoint, delta channel...}
-- value  = 'p' opaque  |  'L' generation length count digest: the first `length` bytes of a generation's chunks
-- row    = frame(frame(index task) frame(path) frame(channel) ...); an index under 0 replaces, any other is kept
local CHUNK = 8192

local function frame(text) return struct.pack('>I4c0', #text, text) end
local function field_of_blob(channel, version) return 'b' .. frame(channel) .. version end
local function field_of_chunk(generation, i) return 'l' .. struct.pack('>I4I4', generation, i) end

-- Lua passes on at most some thousands of arguments at once.
local MANY = 4000

local function hmget(key, fields)
  if #fields <= MANY then return redis.call('HMGET', key, unpack(fields)) end
  local found = {}
  for i = 1, #fields, MANY do
    for _, value in ipairs(redis.call('HMGET', key, unpack(fields, i, math.min(i + MANY - 1, #fields)))) do
      found[#found + 1] = value
    end
  end
  return found
end

local function in_parts(command, key, arguments)
  for i = 1, #arguments, MANY do
    redis.call(command, key, unpack(arguments, i, math.min(i + MANY - 1, #arguments)))
  end
end

-- Bytewise, as the client compares: Lua's own `<` follows the server's locale.
local function less(a, b)
  local i = 1
  while i <= #a and string.sub(a, i, i + 7) == string.sub(b, i, i + 7) do i = i + 8 end
  for j = i, math.min(#a, #b) do
    local x, y = string.byte(a, j), string.byte(b, j)
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

-- Hand to `write(field, bytes)` the chunks that add bytes to a generation; chunk i holds the bytes from i * CHUNK on.
-- `last` is what the chunk in which `length` lies holds already.
local function extend(write, generation, length, last, bytes)
  local i, at, room = math.floor(length / CHUNK), 1, CHUNK - length % CHUNK
  while at <= #bytes do
    write(field_of_chunk(generation, i), last .. string.sub(bytes, at, at + room - 1))
    i, at, room, last = i + 1, at + room, CHUNK, ''
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

-- The chunks with the first `length` bytes of a generation, and maybe some more. They lie all in head or all in past.
-- A chunk that was lost is left out: the client will miss its bytes.
local function chunks_of(ns, log)
  local fields, key = {}, head_of(ns)
  for i = 0, math.ceil(log.length / CHUNK) - 1 do fields[i + 1] = field_of_chunk(log.generation, i) end
  if #fields > 0 and redis.call('HEXISTS', key, fields[1]) == 0 then key = past_of(ns) end
  local chunks = hmget(key, fields)
  for i, chunk in ipairs(chunks) do chunks[i] = chunk or '' end
  return chunks
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

local function add_past_rows(past, id, rows)
  local stored = redis.call('HGET', past, 'w' .. id)
  redis.call('HSET', past, 'w' .. id, stored and merge_rows(stored, rows) or rows)
end

-- In the head each task has a field of its own, and field t names the tasks; `tasks` and `stored` are those two fields.
local function add_head_rows(head, task, rows, tasks, stored)
  if stored then
    redis.call('HSET', head, 'w' .. task, merge_rows(stored, rows))
  else
    redis.call('HSET', head, 'w' .. task, rows, 't', (tasks or '') .. frame(task))
  end
end

local function fields_of_tasks(tasks)
  local fields, at, task = {}, 1
  while at <= #tasks do
    task, at = struct.unpack('>I4c0', tasks, at)
    fields[#fields + 1] = 'w' .. task
  end
  return fields
end

local function rows_of_head(head)
  local tasks = redis.call('HGET', head, 't')
  return tasks and table.concat(hmget(head, fields_of_tasks(tasks))) or ''
end

-- The value of a channel at a version, wherever it is.
local function value_at(ns, top, channel, version)
  if top and top.versions[channel] == version then return redis.call('HGET', head_of(ns), 'v' .. channel) end
  return redis.call('HGET', past_of(ns), field_of_blob(channel, version))
end

-- The head's record and tasks, from its fields id, @ and t.
local function top_from(found)
  if not found[1] then return nil end
  local top = open_record(found[2])
  top.id, top.record, top.tasks = found[1], found[2], found[3]
  return top
end

local function top_of(ns) return top_from(redis.call('HMGET', head_of(ns), 'id', '@', 't')) end

-- Put the head's own record and rows away, before another checkpoint takes its place.
local function retire_top(ns, top)
  local head, past = head_of(ns), past_of(ns)
  redis.call('ZADD', ids_of(ns), 0, top.id)
  if not top.tasks then
    redis.call('HSET', past, 'r' .. top.id, top.record)
    return
  end
  local fields = fields_of_tasks(top.tasks)
  redis.call('HSET', past, 'r' .. top.id, top.record, 'w' .. top.id, table.concat(hmget(head, fields)))
  fields[#fields + 1] = 't'
  in_parts('HDEL', head, fields)
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
  for task, of_task in pairs(by_task) do
    local found = redis.call('HMGET', head, 't', 'w' .. task)
    add_head_rows(head, task, of_task, found[1], found[2])
  end
  redis.call('HDEL', past, 'w' .. id)
end

-- The ids behind the head. Past says which there are: a server that evicts may have taken the key of the ids.
local function ids_in_past(ns)
  local ids = {}
  for _, field in ipairs(redis.call('HKEYS', past_of(ns))) do
    if string.byte(field) == 114 then ids[#ids + 1] = string.sub(field, 2) end
  end
  return ids
end

-- The head was evicted: what past holds of this namespace is incomplete. Rows that wait for their checkpoint stay.
local function clear_ruins(ns)
  local past, gone = past_of(ns), {}
  for _, id in ipairs(redis.call('ZRANGE', ids_of(ns), 0, -1)) do gone[#gone + 1] = 'w' .. id end
  for _, id in ipairs(ids_in_past(ns)) do gone[#gone + 1] = 'w' .. id end
  for _, field in ipairs(redis.call('HKEYS', past)) do
    if string.byte(field) ~= 119 then gone[#gone + 1] = field end
  end
  in_parts('HDEL', past, gone)
  redis.call('UNLINK', ids_of(ns))
end
