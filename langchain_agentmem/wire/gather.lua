-- Find documents by their vectors and by words, read each once, and count: as few and large replies as can be.
-- ARGV[1] as msgpack: {nearest, worded, counts, words, share, fields, more, few, last}
--   nearest: FT.SEARCH command that returns keys and distances; {} = none
--   worded: FT.SEARCH command that returns keys; in its query '<chosen>' stands for the words that find; {} = none
--   counts: FT.SEARCH commands of which the total is wanted, or totals: of everything, then of each word
--   words: the query for each word
--   share: the words that find are those that no more than this share of everything holds, or, if there are none, all
--   fields: what to read of each hash; none may hold a NUL
--   more: what else to read where no more than `few` hashes are found
--   last: one more field, of any bytes, to read where there is no distance; '' = none
-- Returns {columns, lasts, totals}. A column is a text with NULs between what the hashes have, '' for nothing: the keys,
-- the distances, then each field. `lasts` are for the hashes without a distance, in order.
local call = redis.call
local nearest, worded, counts, words, share, fields, more, few, last = unpack(cmsgpack.unpack(ARGV[1]))

local totals, rare, held = {}, {}, {}
for at, count in ipairs(counts) do totals[at] = tonumber(count) or call(unpack(count))[1] end
for at, word in ipairs(words) do
  local total = totals[at + 1]
  if total > 0 then held[#held + 1] = word end
  if total > 0 and total <= share * totals[1] then rare[#rare + 1] = word end
end
local chosen = #rare > 0 and rare or held

local keys, distance_of = {}, {}
if nearest[1] then
  local found = call(unpack(nearest))
  for at = 2, #found, 2 do
    keys[#keys + 1], distance_of[found[at]] = found[at], found[at + 1] and found[at + 1][2] or ''
  end
end
if worded[1] and chosen[1] then
  table.insert(chosen, chosen[1]) -- a union of one is no union to the server, and would lose its weight
  worded[3] = string.gsub(worded[3], '<chosen>', table.concat(chosen, '|'))
  for at, key in ipairs(call(unpack(worded))) do
    if at > 1 and not distance_of[key] then keys[#keys + 1], distance_of[key] = key, '' end
  end
end

if #keys <= tonumber(few) then
  for _, field in ipairs(more) do fields[#fields + 1] = field end
end
local distances, columns, lasts = {}, {}, {}
for column = 1, #fields do columns[column] = {} end
if last ~= '' then fields[#fields + 1] = last end
for row, key in ipairs(keys) do
  local distance = distance_of[key]
  local values = call('HMGET', key, unpack(fields, 1, distance == '' and #fields or #columns))
  distances[row] = distance
  for column, into in ipairs(columns) do into[row] = values[column] or '' end
  if #values > #columns then lasts[#lasts + 1] = values[#values] or '' end
end

local texts = {table.concat(keys, '\0'), table.concat(distances, '\0')}
for _, column in ipairs(columns) do texts[#texts + 1] = table.concat(column, '\0') end
return {texts, lasts, totals}
