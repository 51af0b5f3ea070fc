-- uses: checkpoint
-- Store one task's writes for a checkpoint, which may not have come yet: they are kept and show no checkpoint.
-- KEYS[1] thread
-- ARGV[1] namespace  [2] checkpoint id  [3] task id  [4] rows  [5] ttl in ms, '' = never
local ns, id = ARGV[1], ARGV[2]
local known = redis.call('EXISTS', thread) == 1
if redis.call('HGET', head_of(ns), 'id') == id then
  add_rows(head_of(ns), 'w' .. ARGV[3], ARGV[4])
else
  add_rows(past_of(ns), 'w' .. id, ARGV[4])
end
redis.call('SADD', spaces, ns)
if known and redis.call('HEXISTS', thread, 'orphan') == 0 then
  expire(wanted_ttl(ARGV[5]), ns)
else
  redis.call('HSET', thread, 'orphan', '1')
  expire(ORPHAN_TTL, ns)
end
return redis.status_reply('OK')
