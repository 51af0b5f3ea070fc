-- How far a consumer group is behind.
-- KEYS[1] the stream
-- ARGV[1] group
-- Returns entries not yet given to any consumer, entries given and not acknowledged
local function fields_of(flat)
  local fields = {}
  for i = 1, #flat, 2 do fields[flat[i]] = flat[i + 1] end
  return fields
end

if redis.call('EXISTS', KEYS[1]) == 0 then return {0, 0} end
for _, flat in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local info = fields_of(flat)
  if info.name == ARGV[1] then
    -- Redis 6.2 does not count the lag, and later versions do not know it after entries in between were deleted.
    local lag = info.lag or #redis.call('XRANGE', KEYS[1], '(' .. info['last-delivered-id'], '+')
    return {lag, info.pending}
  end
end
return {redis.call('XLEN', KEYS[1]), 0}
