-- uses: memory
-- Say that a memory is no longer so: it leaves the present, and the fact that it stands for goes with it.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] ttl in ms of what it was  [4] until when it was so, in microseconds, '' = now
-- ARGV[5] key that keeps the answer to this operation  [6] for how many seconds
-- ARGV[7] when this was said, in microseconds, '' = it is done by hand  [8] in which thread
-- ARGV[9] version that the fact must have that it stands for, '' = any
-- Returns {'retired', member, version}, or, with nothing changed, {'kept', member, version}: its fact was said again, or
-- another one, after that and elsewhere; {'missing', member, 0}; {'changed', member, version of its fact, 0 = it has none}.
hear(ARGV[7], ARGV[8], tonumber(ARGV[4]))
return once(ARGV[5], ARGV[6], function()
  if not there(member) then return {'missing', member, 0}, true end
  local version, ended = version_of(member), tonumber(ARGV[4])
  local name = redis.call('HGET', item, 's')
  local fact = name and read_fact(name)
  if fact and fact.from == member and overtaken(name) then return {'kept', member, version} end
  local other = unexpected(member, ARGV[9])
  if other then return {'changed', member, other}, true end
  release(member, name, ARGV[3], ended)
  retire(member, ARGV[3], nil, ended)
  register()
  return {'retired', member, version}
end)
