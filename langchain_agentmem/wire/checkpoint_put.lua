-- uses: checkpoint_advance, checkpoint
-- Store a checkpoint.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] namespace  [2] checkpoint id  [3] record  [4] ttl in ms, '' = never  [5] registry member
-- ARGV[6] user, escaped, '' = none  [7] run id, '' = none
-- ARGV[8] '1': the checkpoint has values that are not sent, being stored under its parent or an ancestor
-- ARGV[9] digest of id and record
-- ARGV[10] digest of the parent's: it is the current checkpoint, its id is lower, and the channels that are not sent have
--          the versions that they have there; '' = the writer does not know
-- ARGV[11..] for each new version: channel, version, the version that the parent has ('' = none), then a payload:
--   'e'                                             the channel has no value
--   'p' ...                                         a whole value
--   'N' count digest bytes                          a list: a log of its own
--   'A' base length, base digest, count digest tail a list that continues the log whose end is known by length and digest
-- Returns OK; or, with nothing written, STALE: a tail does not continue what is stored, send the whole list; or LOST: the
-- parent is not stored, so neither are the values that were not sent.
local ns, id, record, user, run = ARGV[1], ARGV[2], ARGV[3], ARGV[6], ARGV[7]
local head, past = head_of(ns), past_of(ns)
local state = state_of(run)

local function store()
  local new = open_record(record)
  local sent, changes, wanted = {}, {}, {'id', '@', 't'}
  for i = 11, #ARGV, 4 do
    local change = {channel = ARGV[i], version = ARGV[i + 1], payload = ARGV[i + 3], kind = string.sub(ARGV[i + 3], 1, 1)}
    changes[#changes + 1], sent[change.channel], wanted[#wanted + 1] = change, change, 'v' .. change.channel
  end
  local held = hmget(head, wanted)
  local top = top_from(held)
  local leads = not top or not less(id, top.id)

  local parent_stored = top and (new.parent == '' or new.parent == top.id
    or redis.call('HEXISTS', past, 'r' .. new.parent) == 1)
  if ARGV[8] == '1' and not parent_stored then return 'LOST' end

  -- Before anything is written: does each tail continue what is stored? A list that is there already is a replay's.
  for i, change in ipairs(changes) do
    change.old = top and top.versions[change.channel] and held[3 + i]
    local log = leads and open_log(change.old)
    local function is_stored(count, digest)
      return log and log.digest == digest and log.count == count and top.versions[change.channel] == change.version
    end
    if change.kind == 'N' then
      local count, digest, at = struct.unpack('>I4c16', change.payload, 2)
      change.count, change.digest, change.bytes = count, digest, string.sub(change.payload, at)
      if is_stored(count, digest) then change.kind = 'done' end
    elseif change.kind == 'A' then
      local length, base, count, digest, at = struct.unpack('>I4c16I4c16', change.payload, 2)
      change.count, change.digest, change.bytes = count, digest, string.sub(change.payload, at)
      if is_stored(count, digest) then
        change.kind = 'done'
      elseif not (log and log.length == length and log.digest == base) then
        return 'STALE'
      end
      change.base = log
    end
  end

  -- What goes to a hash is gathered and leaves in one command.
  local to_head, to_past, from_head, from_past = {}, {}, {}, {}
  local function write_head(field, value) to_head[#to_head + 1], to_head[#to_head + 2] = field, value end
  local function write_past(field, value) to_past[#to_past + 1], to_past[#to_past + 2] = field, value end

  -- A whole list as a plain value, for a checkpoint that is not the head: 'p', the type's length and name, the bytes.
  local function as_plain(count, bytes)
    local header
    if count < 16 then header = string.char(144 + count)
    elseif count < 65536 then header = '\220' .. struct.pack('>I2', count)
    else header = '\221' .. struct.pack('>I4', count) end
    return 'p\7msgpack' .. header .. bytes
  end

  local function store_behind(change)
    local blob = field_of_blob(change.channel, change.version)
    if change.kind == 'e' then
      from_past[#from_past + 1] = blob
    else
      write_past(blob, change.kind == 'N' and as_plain(change.count, change.bytes) or change.payload)
    end
  end

  local function next_generation() return redis.call('HINCRBY', head, 'g', 1) end

  -- Add a list's bytes to its log, or begin a log with them; returns where it lies then.
  local function log_of(change)
    local generation, length, last, bytes = nil, 0, '', change.bytes
    if change.base then
      generation, length = change.base.generation, change.base.length
      last = redis.call('HGET', head, field_of_chunk(generation, math.floor(length / CHUNK))) or ''
      if #last ~= length % CHUNK then -- another branch went on with this generation: continue in a copy
        bytes = string.sub(table.concat(chunks_of(ns, change.base)), 1, length) .. bytes
        generation, length, last = nil, 0, ''
      end
    end
    generation = generation or next_generation()
    extend(write_head, generation, length, last, bytes)
    return {generation = generation, length = length + #bytes, count = change.count, digest = change.digest}
  end

  local function store_in_head(change)
    if change.kind == 'done' then return end
    local channel, old = change.channel, change.old
    local old_version, log = top and top.versions[channel], nil
    if change.kind == 'N' or change.kind == 'A' then log = log_of(change) end
    if old and old_version ~= change.version then write_past(field_of_blob(channel, old_version), old) end
    local old_log = open_log(old)
    if old_log and not (log and log.generation == old_log.generation) then
      move_fields(head, past, chunk_fields(head, old_log.generation))
    end
    from_past[#from_past + 1] = field_of_blob(channel, change.version)
    if change.kind == 'e' then
      from_head[#from_head + 1] = 'v' .. channel
    else
      write_head('v' .. channel, log and pack_log(log) or change.payload)
    end
  end

  if not top and redis.call('EXISTS', past, ids_of(ns)) > 0 then clear_ruins(ns) end
  if leads then
    if top and top.id ~= id then retire_top(ns, top) end
    local ours = {}
    for _, change in ipairs(changes) do
      if new.versions[change.channel] == change.version then ours[change.channel] = change else store_behind(change) end
    end
    switch(ns, top, new.versions, ours)
    for _, change in pairs(ours) do store_in_head(change) end
    write_head('id', id)
    write_head('@', record)
    write_head('d', ARGV[9])
  else
    write_past('r' .. id, record)
    redis.call('ZADD', ids_of(ns), 0, id)
    for _, change in ipairs(changes) do
      if top.versions[change.channel] == change.version then store_in_head(change) else store_behind(change) end
    end
  end
  in_parts('HDEL', past, from_past)
  in_parts('HSET', past, to_past)
  in_parts('HDEL', head, from_head)
  in_parts('HSET', head, to_head)
  if leads then adopt_rows(ns, id) end
end

local trouble = not advanced and store()
if trouble then return redis.status_reply(trouble) end
redis.call('SADD', spaces, ns)
local is_new, facts = not state.known or state.orphan, {}
if is_new then facts[1], facts[2] = 'created', string.format('%.0f', now_ms()) end
if run ~= '' and not state.has_run then facts[#facts + 1], facts[#facts + 2] = 'r:' .. run, '' end
if user ~= '' and state.user ~= user then facts[#facts + 1], facts[#facts + 2] = 'user', user end
in_parts('HSET', thread, facts)
if state.orphan then redis.call('HDEL', thread, 'orphan') end
expire_as_asked(state, ARGV[4], ns)
register(ARGV[5], state, user, is_new)
return redis.status_reply('OK')
