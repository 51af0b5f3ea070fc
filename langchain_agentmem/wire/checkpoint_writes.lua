-- uses: checkpoint_note, checkpoint
-- Store one task's writes for a checkpoint, which may not have come yet: they are kept and show no checkpoint.
-- KEYS[1] thread; KEYS[2] registry of threads, where one server holds all
-- ARGV[1] namespace  [2] checkpoint id  [3] task id  [4] rows  [5] ttl in ms, '' = never
local ns, id, task, rows = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local state = state_of()
local found = redis.call('HMGET', head_of(ns), 'id', 't', 'w' .. task)
if found[1] == id then
  add_head_rows(head_of(ns), task, rows, found[2], found[3])
else
  add_past_rows(past_of(ns), id, rows)
end
redis.call('SADD', spaces, ns)
if not state.orphan and (state.known or found[1]) then
  expire_as_asked(state, ARGV[5], ns)
  keep_registry(state, state.user)
else
  redis.call('HSET', thread, 'orphan', '1')
  expire(state, ORPHAN_TTL, ns)
end
return redis.status_reply('OK')
