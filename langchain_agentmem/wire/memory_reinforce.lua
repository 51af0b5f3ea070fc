-- uses: memory
-- Confirm a memory: it was said, or shown to be so, again.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] share by which confidence grows towards 1  [4] where this came from, JSON, '' = nowhere
-- ARGV[5] key that keeps the answer to this operation  [6] for how many seconds
-- ARGV[7] when this was said, in microseconds, '' = it is done by hand  [8] in which thread
-- ARGV[9] version that the fact must have that it stands for, '' = any
-- Returns {'reinforced', member, version}, or {'missing', member, 0}; {'changed', member, version of its fact, 0 = it has none}.
hear(ARGV[7], ARGV[8])
return once(ARGV[5], ARGV[6], function()
  if not there(member) then return {'missing', member, 0}, true end
  local other = unexpected(member, ARGV[9])
  if other then return {'changed', member, other}, true end
  confirm(member, ARGV[3], ARGV[4])
  return {'reinforced', member, version_of(member)}
end)
