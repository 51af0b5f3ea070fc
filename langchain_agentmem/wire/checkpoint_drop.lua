-- uses: checkpoint
-- Remove checkpoints of a thread, and what only they needed. What a delta channel of a kept checkpoint is rebuilt from stays.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] registry member
-- ARGV[2] 'latest': all but the newest of each namespace, and namespaces of subgraph calls whose root checkpoint goes
--         'runs': the checkpoints of some runs, whose ids are ARGV[3..]
-- Returns whether the thread is gone, and its user (escaped, '' = none)
local function open_all(ns)
  local records, top = {}, top_of(ns)
  for _, id in ipairs(ids_in_past(ns)) do records[id] = open_record(redis.call('HGET', past_of(ns), 'r' .. id)) end
  for _, id in ipairs(redis.call('ZRANGE', ids_of(ns), 0, -1)) do
    if not records[id] then redis.call('ZREM', ids_of(ns), id) end
  end
  if top then records[top.id] = top end
  return records, top
end

-- Add to `keep` the ancestors that a kept checkpoint's delta channels are rebuilt from. Each step of a channel is walked
-- once, however many checkpoints it leads to.
local function keep_sources(ns, records, top, keep)
  local starts, walked = {}, {}
  for id in pairs(keep) do starts[#starts + 1] = id end
  for _, id in ipairs(starts) do
    local record = records[id]
    for i = 3, #record.aux do
      local channel, at = record.aux[i], record
      local passed = walked[channel] or {}
      walked[channel] = passed
      while at and not passed[at] and not value_at(ns, top, channel, at.versions[channel] or '') do
        passed[at] = true
        local parent = at.parent
        at = records[parent]
        if at then keep[parent] = true end
      end
    end
  end
end

local function drop_namespace(ns)
  redis.call('UNLINK', head_of(ns), past_of(ns), ids_of(ns))
  redis.call('SREM', spaces, ns)
end

-- Remove from past what no record names any more.
local function sweep(ns, records)
  local past, top, blobs, generations = past_of(ns), top_of(ns), {}, {}
  for id, record in pairs(records) do
    for channel, version in pairs(record.versions) do
      blobs[field_of_blob(channel, version)] = true
      local log = open_log(value_at(ns, top, channel, version))
      if log then generations[log.generation] = true end
    end
  end
  for _, field in ipairs(redis.call('HKEYS', past)) do
    local kind = string.byte(field)
    local dead = kind == 98 and not blobs[field]
    if kind == 108 then dead = not generations[struct.unpack('>I4', field, 2)] end
    if dead then redis.call('HDEL', past, field) end
  end
end

local function raise(ns, id, record) -- a checkpoint from past becomes the head
  local head, past = head_of(ns), past_of(ns)
  redis.call('HSET', head, 'id', id, '@', redis.call('HGET', past, 'r' .. id))
  redis.call('HDEL', head, 'd')
  redis.call('HDEL', past, 'r' .. id)
  redis.call('ZREM', ids_of(ns), id)
  adopt_rows(ns, id)
end

local function newest(ids)
  local best
  for id in pairs(ids) do
    if not best or less(best, id) then best = id end
  end
  return best
end

local function keep_only(ns, records, top, keep)
  local best = newest(keep)
  if top.id ~= best then
    retire_top(ns, top)
    switch(ns, top, records[best].versions, {})
    raise(ns, best, records[best])
  end
  for id in pairs(records) do
    if not keep[id] then
      redis.call('HDEL', past_of(ns), 'r' .. id, 'w' .. id)
      redis.call('ZREM', ids_of(ns), id)
      records[id] = nil
    end
  end
  for id, record in pairs(records) do
    if record.parent ~= '' and not records[record.parent] then
      local key, field = past_of(ns), 'r' .. id
      if id == best then
        key, field = head_of(ns), '@'
        redis.call('HDEL', key, 'd')
      end
      redis.call('HSET', key, field, orphaned_record(redis.call('HGET', key, field)))
    end
  end
  sweep(ns, records)
end

local user = redis.call('HGET', thread, 'user') or ''
local namespaces = redis.call('SMEMBERS', spaces)
local root_ids = {} -- of all root checkpoints, as they were before
local runs = {}
for i = 3, #ARGV do runs[ARGV[i]] = true end
local kept_runs = {} -- runs of which something had to stay

local function to_keep(records, top)
  if ARGV[2] == 'latest' then return {[top.id] = true} end
  local keep = {}
  for id, record in pairs(records) do
    if not runs[record.aux[1]] then keep[id] = true end
  end
  return keep
end

local function work(ns, kept_roots)
  local records, top = open_all(ns)
  if ns == '%' then
    for id in pairs(records) do root_ids[id] = true end
  end
  if not next(records) then return {} end
  if not top then
    clear_ruins(ns)
    if redis.call('EXISTS', past_of(ns)) == 0 then redis.call('SREM', spaces, ns) end
    return {}
  end
  local root = top.aux[2] or ''
  local pruned_call = ARGV[2] == 'latest' and string.find(ns, '%3A', 1, true) and root_ids[root] and not kept_roots[root]
  local keep = pruned_call and {} or to_keep(records, top)
  if not next(keep) then
    drop_namespace(ns)
    return keep
  end
  keep_sources(ns, records, top, keep)
  for id in pairs(keep) do kept_runs[records[id].aux[1]] = true end
  keep_only(ns, records, top, keep)
  return keep
end

if ARGV[2] == 'runs' then
  local known = false
  for run in pairs(runs) do known = known or redis.call('HEXISTS', thread, 'r:' .. run) == 1 end
  if not known then return {0, user} end
end
local kept_roots = work('%', {})
for _, ns in ipairs(namespaces) do
  if ns ~= '%' then work(ns, kept_roots) end
end
for run in pairs(runs) do
  if not kept_runs[run] then redis.call('HDEL', thread, 'r:' .. run) end
end
if #namespaces > 0 and redis.call('SCARD', spaces) == 0 then forget_thread() end
local gone = redis.call('EXISTS', thread) == 0
if gone then unregister(ARGV[1], user) end
return {gone and 1 or 0, user}
