-- The usual put, done before anything else is defined, because to define a function costs as much as a command: a child of
-- the current checkpoint, from a writer who knows that one, whose other channels stay as they are.
-- Sets `advanced` when it has stored the checkpoint, and returns at once when the thread has no expiry to move on; else
-- nothing has been written. KEYS and ARGV are those of checkpoint_put, layout and names those of checkpoint.
local advanced = false
if ARGV[10] ~= '' and #ARGV < 800 then
  local head, past = KEYS[1] .. ':' .. ARGV[1] .. ':head', KEYS[1] .. ':' .. ARGV[1] .. ':past'
  local wanted = {'d', 'id', '@', 't'}
  for i = 11, #ARGV, 4 do wanted[#wanted + 1] = 'v' .. ARGV[i] end
  local held = redis.call('HMGET', head, unpack(wanted))
  local state = redis.call('HMGET', KEYS[1], 'created', 'orphan', 'at', 'ttl', 'user', 'r:' .. ARGV[7])
  local able = held[1] == ARGV[10] and state[1] and not state[2] and redis.call('HEXISTS', past, 'w' .. ARGV[2]) == 0
  local to_head, from_head = {'id', ARGV[2], '@', ARGV[3], 'd', ARGV[9]}, {}
  local to_past, from_past = {'r' .. (held[2] or ''), held[3]}, {}
  for i = able and 11 or #ARGV + 1, #ARGV, 4 do
    local channel, version, payload = ARGV[i], ARGV[i + 1], ARGV[i + 3]
    local kind, old = string.byte(payload), held[4 + (i - 7) / 4]
    local is_log = old and string.byte(old) == 76
    local name = struct.pack('>I4c0', #channel, channel)
    if kind == 112 and not is_log then -- p over another whole value
      to_head[#to_head + 1], to_head[#to_head + 2] = 'v' .. channel, payload
    elseif kind == 101 and not is_log then -- e
      from_head[#from_head + 1], from_past[#from_past + 1] = 'v' .. channel, 'b' .. name .. version
    elseif kind == 65 and is_log then -- A
      local generation, stored, _, ending = struct.unpack('>I4I4I4c16', old, 2)
      local length, base, count, digest, at = struct.unpack('>I4c16I4c16', payload, 2)
      local chunk, used = 'l' .. struct.pack('>I4I4', generation, math.floor(length / 8192)), length % 8192
      local last = redis.call('HGET', head, chunk) or '' -- not empty, though none is used, where a branch went on
      if stored ~= length or ending ~= base or #last ~= used or #payload - at >= 8192 - used then
        able = false
        break
      end
      local value = 'L' .. struct.pack('>I4I4I4c16', generation, length + #payload - at + 1, count, digest)
      to_head[#to_head + 1], to_head[#to_head + 2] = 'v' .. channel, value
      to_head[#to_head + 1], to_head[#to_head + 2] = chunk, last .. string.sub(payload, at)
    else
      able = false
      break
    end
    if old then to_past[#to_past + 1], to_past[#to_past + 2] = 'b' .. name .. ARGV[i + 2], old end
  end
  if able then
    if held[4] then
      local at, task = 1, nil
      local fields = {}
      while at <= #held[4] do
        task, at = struct.unpack('>I4c0', held[4], at)
        fields[#fields + 1] = 'w' .. task
      end
      if #fields > 1000 then
        able = false
      else
        to_past[#to_past + 1] = 'w' .. held[2]
        to_past[#to_past + 1] = table.concat(redis.call('HMGET', head, unpack(fields)))
        redis.call('HDEL', head, 't', unpack(fields))
      end
    end
  end
  if able then
    redis.call('HSET', past, unpack(to_past))
    redis.call('ZADD', KEYS[1] .. ':' .. ARGV[1] .. ':ids', 0, held[2])
    if #from_head > 0 then
      redis.call('HDEL', past, unpack(from_past))
      redis.call('HDEL', head, unpack(from_head))
    end
    redis.call('HSET', head, unpack(to_head))
    redis.call('SADD', KEYS[1] .. ':spaces', ARGV[1]) -- else a server that evicts takes this key first
    if not state[6] and ARGV[7] ~= '' then redis.call('HSET', KEYS[1], 'r:' .. ARGV[7], '') end
    if state[5] ~= ARGV[6] and ARGV[6] ~= '' then redis.call('HSET', KEYS[1], 'user', ARGV[6]) end
    advanced = true
    if ARGV[4] == '' and not state[3] and not state[4] then
      if KEYS[2] then
        local time = redis.call('TIME')
        local score = time[1] .. string.sub(string.format('%06d', time[2]), 1, 3)
        redis.call('ZADD', KEYS[2], score, ARGV[5])
        if ARGV[6] ~= '' then
          redis.call('ZADD', KEYS[2] .. ':' .. ARGV[6], score, ARGV[5])
          redis.call('PERSIST', KEYS[2] .. ':' .. ARGV[6]) -- as the thread does, it lives for ever
        end
      end
      return redis.status_reply('OK')
    end
  end
end
