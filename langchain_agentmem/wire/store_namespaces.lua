-- List the namespaces that have an item which is not expired: one and those below it, or all.
-- KEYS[1] the ZSET of namespaces, by expiry  [2] the same by name, where one server holds all; on a cluster none of the
-- first has an expiry, so that it is in order of names itself
-- ARGV[1] which one, '' = all
-- Returns their members. Takes as long as there are such, however many others there are.
local names, own = KEYS[2] or KEYS[1], ARGV[1]
if KEYS[2] then
  local clock = redis.call('TIME')
  local now_ms = clock[1] * 1000 + math.floor(clock[2] / 1000)
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms)) do
    redis.call('ZREM', KEYS[1], dead)
    redis.call('ZREM', names, dead)
  end
  if redis.call('ZCARD', KEYS[1]) ~= redis.call('ZCARD', names) then -- a server that evicts took one of them
    redis.call('DEL', names)
    for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', names, 0, member) end
  end
end
if own == '' then return redis.call('ZRANGE', names, 0, -1) end
local found = redis.call('ZRANGEBYLEX', names, '[' .. own .. ':', '(' .. own .. ';') -- ';' follows ':'
if redis.call('ZSCORE', names, own) then table.insert(found, 1, own) end
return found
