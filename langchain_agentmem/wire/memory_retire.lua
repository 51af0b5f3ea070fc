-- uses: memory
-- Say that a memory is no longer so: it leaves the present, and the fact that it stands for goes with it.
-- KEYS, ARGV[1] and ARGV[2] as in item.lua
-- ARGV[3] ttl in ms of what it was  [4] until when it was so, in microseconds, '' = now
-- ARGV[5] key that keeps the answer to this operation  [6] for how many seconds
-- Returns {'retired', member, version}, or {'missing', member, 0}.
return once(ARGV[5], ARGV[6], function()
  if redis.call('EXISTS', item) == 0 then return {'missing', member, 0}, true end
  local version, stands_for = version_of(member), redis.call('HGET', item, 's')
  local fact = stands_for and read_fact(stands_for)
  if fact and fact.from == member then drop_fact(stands_for, ARGV[3]) end
  local past = retire(member, ARGV[3])
  if ARGV[4] ~= '' then redis.call('HSET', past, 'z', ARGV[4]) end
  register()
  return {'retired', member, version}
end)
