-- A thread's working memory in one hash. Prelude: defines functions, runs nothing.
-- KEYS[1]  P:T:session:{I}, the session's HASH
--   fields: goal, scratchpad, summary; user; created, updated (ms); d:<path> for each leaf of the data, its path's
--   segments escaped and joined by ':'; last, the number of the newest turn; first, that of the oldest still here;
--   t:<number> for each turn
-- ARGV[1]  ms until the session expires, counted from this write; '' is never
-- ARGV[2]  the user it belongs to; '' leaves that as it is
local session = KEYS[1]
local REPLAY = 120 -- s; redis-py repeats what it could not finish within seconds

-- The fields of the leaves below a field of the data.
local function below(field)
  local found, head = {}, field .. ':'
  for _, other in ipairs(redis.call('HKEYS', session)) do
    if string.sub(other, 1, #head) == head then found[#found + 1] = other end
  end
  return found
end

-- Sign what was written: every write moves the expiry on.
local function sign()
  local time = redis.call('TIME')
  local now = time[1] .. string.format('%03d', math.floor(time[2] / 1000))
  redis.call('HSETNX', session, 'created', now)
  if ARGV[2] == '' then
    redis.call('HSET', session, 'updated', now)
  else
    redis.call('HSET', session, 'updated', now, 'user', ARGV[2])
  end
  if ARGV[1] == '' then redis.call('PERSIST', session) else redis.call('PEXPIRE', session, ARGV[1]) end
end

-- An operation that must not be done twice keeps its answer for whoever repeats it.
local function remember(done, answer)
  redis.call('SET', done, answer, 'EX', REPLAY)
  return answer
end
