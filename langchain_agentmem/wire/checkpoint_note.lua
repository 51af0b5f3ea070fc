-- The usual put_writes, done before anything else is defined, because to define a function costs as much as a command: the
-- first writes of a task, for the current checkpoint of a thread that never expires.
-- Returns when it was that; else nothing has been written. KEYS and ARGV are those of checkpoint_writes.
if ARGV[5] == '' then
  local head = KEYS[1] .. ':' .. ARGV[1] .. ':head'
  local held = redis.call('HMGET', head, 'id', 't', 'w' .. ARGV[3])
  local state = redis.call('HMGET', KEYS[1], 'created', 'orphan', 'at', 'ttl')
  local settled = state[1] and not (state[2] or state[3] or state[4])
  if settled and held[1] == ARGV[2] and not held[3] then
    redis.call('HSET', head, 'w' .. ARGV[3], ARGV[4], 't', (held[2] or '') .. struct.pack('>I4c0', #ARGV[3], ARGV[3]))
    return redis.status_reply('OK')
  end
end
