-- List the namespaces that have an item which is not expired: one and those below it, or all.
-- KEYS[1] the ZSET of namespaces, by expiry  [2] the same by name, where one server holds all; on a cluster none of the
-- first has an expiry, so that it is in order of names itself
-- ARGV[1] which one, '' = all
-- Returns their members. Takes as long as there are such, however many others there are. Cleans up on the way, where the
-- server takes writes.
local names, own = KEYS[2] or KEYS[1], ARGV[1]
local dead = {}

local function done(...)
  local reply = redis.pcall(...)
  return type(reply) ~= 'table' or not reply.err
end

if KEYS[2] then
  local clock = redis.call('TIME')
  local writable = true
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', clock[1] * 1000 + math.floor(clock[2] / 1000))) do
    dead[member] = true
    writable = writable and done('ZREM', KEYS[1], member) and done('ZREM', names, member)
  end
  -- A server that evicts took one of them, or an older version wrote the first alone.
  if redis.call('ZCARD', KEYS[1]) ~= redis.call('ZCARD', names) and done('DEL', names) then
    for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do redis.call('ZADD', names, 0, member) end
  end
end

local found = {}
local function add(members)
  for _, member in ipairs(members) do
    if not dead[member] then found[#found + 1] = member end
  end
end

if own == '' then
  add(redis.call('ZRANGE', names, 0, -1))
else
  if redis.call('ZSCORE', names, own) then add({own}) end
  add(redis.call('ZRANGEBYLEX', names, '[' .. own .. ':', '(' .. own .. ';')) -- ';' follows ':'
end
return found
