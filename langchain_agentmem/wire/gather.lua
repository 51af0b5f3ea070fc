-- Run searches, read each hash that they find once, and count matches: as few and large replies as can be.
-- ARGV[1] as msgpack: {searches, counts, fields, last}
--   searches: FT.SEARCH commands that return keys, or keys with one field, the distance
--   counts: FT.SEARCH commands of which the total is wanted
--   fields: what to read of each hash; none may hold a NUL
--   last: one more field, of any bytes, to read where no search told a distance; '' = none
-- Returns {hashes, totals}; a hash is its key, distance ('' = none), fields ('' = absent) and last, with NULs between
local call = redis.call
local searches, counts, fields, last = unpack(cmsgpack.unpack(ARGV[1]))
local and_last = last ~= '' and {last} or {}
for at = #fields, 1, -1 do table.insert(and_last, 1, fields[at]) end

local keys, distances = {}, {}
for _, search in ipairs(searches) do
  local found = call(unpack(search))
  for at = 2, #found do
    local key = found[at]
    if type(key) == 'string' then
      if not distances[key] then keys[#keys + 1], distances[key] = key, '' end
      local told = found[at + 1]
      if type(told) == 'table' and told[2] then distances[key] = told[2] end
    end
  end
end

local hashes, totals = {}, {}
for at, key in ipairs(keys) do
  local distance = distances[key]
  local values = call('HMGET', key, unpack(distance == '' and and_last or fields))
  for i = 1, #values do values[i] = values[i] or '' end
  hashes[at] = key .. '\0' .. distance .. '\0' .. table.concat(values, '\0')
end
for at, count in ipairs(counts) do totals[at] = call(unpack(count))[1] end
return {hashes, totals}
