-- uses: checkpoint
-- Read checkpoints, newest id first, each with its writes; values and logs that several of them share are sent once.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] namespace, '*' = all  [2] this id only, '' = any  [3] only ids under this one, '' = no bound
-- ARGV[4] id and [5] namespace of the last one already read, '' = from the start  [6] limit  [7] '1' = refresh the ttl
-- Returns {{namespace, id, record, rows}...}, {{namespace, channel, version, value}...}, {{namespace, generation, chunks}...}
local only, before, cursor, limit = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[6])

local function wanted(id, ns)
  if only ~= '' and id ~= only then return false end
  if before ~= '' and not less(id, before) then return false end
  if cursor == '' or less(id, cursor) then return true end
  return id == cursor and less(ARGV[5], ns)
end

local function ids_in(ns, top)
  if not top then return {} end
  if only ~= '' then
    return (top.id == only or redis.call('HEXISTS', past_of(ns), 'r' .. only) == 1) and {only} or {}
  end
  local max = cursor ~= '' and '[' .. cursor or before ~= '' and '(' .. before or '+'
  local ids = redis.call('ZREVRANGEBYLEX', ids_of(ns), max, '-', 'LIMIT', 0, limit + 1)
  table.insert(ids, 1, top.id)
  return ids
end

local found, tops = {}, {}
local namespaces = ARGV[1] == '*' and redis.call('SMEMBERS', spaces) or {ARGV[1]}
for _, ns in ipairs(namespaces) do
  tops[ns] = top_of(ns)
  for _, id in ipairs(ids_in(ns, tops[ns])) do
    if wanted(id, ns) then found[#found + 1] = {ns, id} end
  end
end
table.sort(found, function(a, b)
  if a[2] == b[2] then return less(a[1], b[1]) end
  return less(b[2], a[2])
end)

local rows, blobs, logs, seen = {}, {}, {}, {}

local function gather(ns, channel, version)
  local name = frame(ns) .. frame(channel) .. version
  if seen[name] then return end
  seen[name] = true
  local value = value_at(ns, tops[ns], channel, version)
  if not value then return end
  blobs[#blobs + 1] = {ns, channel, version, value}
  local log = open_log(value)
  if log then
    local known = frame(ns) .. log.generation
    if not logs[known] or logs[known].log.length < log.length then logs[known] = {ns = ns, log = log} end
  end
end

for _, place in ipairs(found) do
  if #rows == limit then break end
  local ns, id = place[1], place[2]
  local is_top = tops[ns].id == id
  local record = is_top and tops[ns].record or redis.call('HGET', past_of(ns), 'r' .. id)
  if record then -- else past was evicted, and its ids were not
    local writes = is_top and rows_of_head(head_of(ns)) or redis.call('HGET', past_of(ns), 'w' .. id) or ''
    rows[#rows + 1] = {ns, id, record, writes}
    for channel, version in pairs(open_record(record).versions) do gather(ns, channel, version) end
  end
end

local texts = {}
for _, need in pairs(logs) do
  texts[#texts + 1] = {need.ns, need.log.generation, chunks_of(need.ns, need.log)}
end
if ARGV[7] == '1' then refresh() end
return {rows, blobs, texts}
