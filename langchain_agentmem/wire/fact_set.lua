-- uses: memory
-- Set a fact, or delete it; the memory that it came from leaves the present with it.
-- KEYS and ARGV[2] as in item.lua; KEYS[1] and ARGV[1] of no item
-- ARGV[3] fact  [4] value as JSON, '' = delete it  [5] version it must have, 0 = none yet, '' = any  [6] ttl in ms of its past
-- ARGV[7] where it was said, JSON, '' = nowhere
-- ARGV[8] key that keeps the answer to this operation  [9] for how many seconds
-- ARGV[10] when this was said, in microseconds, '' = it is done by hand  [11] in which thread
-- Returns {version}, {-1 - version} when that is not the one expected, {0} when there was nothing to delete, or something
-- was said of it after that.
local name, value, expected, ttl, source = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
hear(ARGV[10], ARGV[11])
return once(ARGV[8], ARGV[9], function()
  local old = read_fact(name)
  local version = old and old.version or 0
  if expected ~= '' and tonumber(expected) ~= version then return {-1 - version}, true end
  if overtaken(name, value) then return {0} end
  if old and old.value == value then return {set_fact(name, old.from, value, source, ttl)} end
  if old and old.from ~= '-' and there(old.from) then
    retire(old.from, ttl, nil, said)
    register()
  end
  if value == '' then
    drop_fact(name, ttl, said)
    register()
    return {version}
  end
  return {set_fact(name, '-', value, source, ttl)}
end)
