-- uses: checkpoint
-- What each channel got along the ancestors of a checkpoint: writes, back to the nearest stored value and inclusive of the
-- rows of the checkpoint that holds it. The target's own rows are left out: they are pending.
-- KEYS[1] thread
-- ARGV[1] namespace  [2] checkpoint id, '' = the latest  [3..] channels
-- Returns {rows of the nearest ancestor, of the next...}, {{channel, value}...}, {{generation, chunks}...}
local ns = ARGV[1]
local top = top_of(ns)

local function record_of(id)
  if top and top.id == id then return top end
  local record = redis.call('HGET', past_of(ns), 'r' .. id)
  return record and open_record(record)
end

local function rows_at(id)
  if top and top.id == id then return rows_of_head(head_of(ns)) end
  return redis.call('HGET', past_of(ns), 'w' .. id) or ''
end

local remaining, open = {}, #ARGV - 2
for i = 3, #ARGV do remaining[ARGV[i]] = true end

local function rows_for_remaining(id)
  local kept = {}
  each_row(rows_at(id), function(_, row, body)
    local _, at = struct.unpack('>I4c0', body)
    _, at = struct.unpack('>I4c0', body, at)
    if remaining[struct.unpack('>I4c0', body, at)] then kept[#kept + 1] = row end
  end)
  return table.concat(kept)
end

local steps, seeds, logs = {}, {}, {}
local target = top and (ARGV[2] == '' and top or record_of(ARGV[2]))
local id, passed = target and target.parent or '', {}
while id ~= '' and open > 0 and not passed[id] do -- a checkpoint may have been put again as its own ancestor
  passed[id] = true
  local record = record_of(id)
  if not record then break end
  steps[#steps + 1] = rows_for_remaining(id)
  for channel in pairs(remaining) do
    local version = record.versions[channel]
    local value = version and value_at(ns, top, channel, version)
    if value then
      seeds[#seeds + 1] = {channel, value}
      local log = open_log(value)
      if log then logs[#logs + 1] = {log.generation, chunks_of(ns, log)} end
      remaining[channel], open = nil, open - 1
    end
  end
  id = record.parent
end
return {steps, seeds, logs}
