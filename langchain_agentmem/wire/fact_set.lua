-- uses: memory
-- Set a fact, or delete it; the memory that it came from leaves the present with it.
-- KEYS and ARGV[2] as in item.lua; KEYS[1] and ARGV[1] of no item
-- ARGV[3] fact  [4] value as JSON, '' = delete it  [5] version it must have, 0 = none yet, '' = any  [6] ttl in ms of its past
-- ARGV[7] key that keeps the answer to this operation  [8] for how many seconds
-- Returns its version, -1 - version when that is not the one expected, 0 when there was nothing to delete.
local name, value, expected, ttl = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
return once(ARGV[7], ARGV[8], function()
  local old = read_fact(name)
  local version = old and old.version or 0
  if expected ~= '' and tonumber(expected) ~= version then return {-1 - version}, true end
  if old and old.value == value then return {version} end
  if old and old.from ~= '-' and redis.call('EXISTS', stem .. old.from) == 1 then
    retire(old.from, ttl)
    register()
  end
  if value == '' then
    drop_fact(name, ttl)
    return {version}
  end
  return {set_fact(name, '-', value, ttl)}
end)
