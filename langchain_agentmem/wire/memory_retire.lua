-- uses: memory
-- Say that a memory is no longer so: it leaves the present, and the fact that it stands for goes with it.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] ttl in ms of what it was  [4] until when it was so, in microseconds, '' = now
-- ARGV[5] key that keeps the answer to this operation  [6] for how many seconds
-- Returns {'retired', member, version}, or {'missing', member, 0}.
return once(ARGV[5], ARGV[6], function()
  if not there(member) then return {'missing', member, 0}, true end
  local version, ended = version_of(member), tonumber(ARGV[4])
  release(member, redis.call('HGET', item, 's'), ARGV[3], ended)
  retire(member, ARGV[3], nil, ended)
  register()
  return {'retired', member, version}
end)
