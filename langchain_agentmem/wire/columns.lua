-- Read fields of many hashes: as few and large replies as can be.
-- ARGV[1] as msgpack: {keys, fields}; none of the fields may hold a NUL
-- Returns for each field a text with NULs between what the hashes have, '' for nothing.
local keys, fields = unpack(cmsgpack.unpack(ARGV[1]))
local columns, texts = {}, {}
for column = 1, #fields do columns[column] = {} end
for row, key in ipairs(keys) do
  for column, value in ipairs(redis.call('HMGET', key, unpack(fields))) do columns[column][row] = value or '' end
end
for column, values in ipairs(columns) do texts[column] = table.concat(values, '\0') end
return texts
