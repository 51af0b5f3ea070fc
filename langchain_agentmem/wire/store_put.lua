-- Store items, whole: what each was is gone, except when it was created and how it was used. What is pinned does not
-- expire. The fact that a memory stands for stays if the item says the same of it, and goes if not.
-- It stands alone and defines no function, because in a script that costs as much as a command.
-- KEYS[3i - 2] the HASH of item i  [3i - 1] the ZSET of its namespace's items, by expiry  [3i] the HASH of what is known there
-- KEYS[last] the ZSET of all namespaces, by expiry, where one server holds all; beside it lies the same by name, ':names'
-- ARGV for each item: its member in its ZSET, its namespace's member in the last, ttl in ms ('' = never), how many hashes
-- it has, then its own hash and one for each further vector; a hash is how many words follow, then field, value...
local call = redis.call
local clock = call('TIME')
local moment = clock[1] * 1000000 + clock[2] -- microseconds; a double holds them exactly
local namespaces = #KEYS % 3 == 1 and KEYS[#KEYS]
local listed = {} -- the namespaces that are known to be listed for ever
local at = 1

for i = 1, math.floor(#KEYS / 3) do
  local item, items, known = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  local member, namespace, ttl, hashes, words = unpack(ARGV, at, at + 4)
  local own = {unpack(ARGV, at + 5, at + 4 + words)}
  at = at + 5 + words
  local now = string.format('%.0f', moment + i) -- each is newer than those before it
  local created = call('HGET', item, 'c')
  if created then
    local kept = {'q', 'r', 'y', 'p', 'b', 's', 'm'}
    local old = call('HMGET', item, 'i', 'e', unpack(kept))
    if old[6] then ttl = '' end
    if old[8] then
      local text
      for word = 1, words, 2 do
        if own[word] == 'v' then text = own[word + 1] end
      end
      local read, said = pcall(cjson.decode, '[' .. (call('HGET', item, 'v') or '{}') .. ',' .. text .. ']')
      local same = read and type(said[1]) == 'table' and said[2].state and said[1].state == said[2].state
      if same then
        local values = {}
        for which = 1, 2 do
          local value = said[which].value
          if value == nil or value == cjson.null then value = said[which].text end
          values[which] = value
        end
        same = values[1] == values[2]
        if type(values[1]) == 'table' and type(values[2]) == 'table' then
          same = cjson.encode(values[1]) == cjson.encode(values[2])
        end
      end
      if not same then
        local facts = string.gsub(known, '^([^:]*:[^:]*):known:', '%1:facts:')
        local version, from = string.match(call('HGET', facts, old[8]) or '', '^(%d+) %-?%d+ (%S+)')
        if from == member then
          call('HDEL', facts, old[8])
          call('HSET', known, '!' .. old[8], version .. ' ' .. now .. ' ') -- its versions go on counting; said now, by hand
        end
        old[8], old[9] = false, false
      end
    end
    for at, field in ipairs(kept) do
      if old[at + 2] then own[#own + 1], own[#own + 2] = field, old[at + 2] end
    end
    if old[1] and call('HGET', known, old[1]) == member then call('HDEL', known, old[1]) end
    for at = 1, old[2] or 0 do call('DEL', item .. ':x' .. at) end
    call('DEL', item)
  end
  call('HSET', item, 'u', now, 'a', now, 'c', created or now, 'w', created or now, unpack(own))
  for further = 1, hashes - 1 do
    call('HSET', item .. ':x' .. further, unpack(ARGV, at + 1, at + ARGV[at]))
    if ttl ~= '' then call('PEXPIRE', item .. ':x' .. further, ttl) end
    at = at + 1 + ARGV[at]
  end

  -- What lists the item lives as long as the item that lives longest. A namespace that is listed for ever already has
  -- nothing that expires.
  if ttl == '' then
    call('ZADD', items, 'inf', member)
    if not listed[namespace] and (not namespaces or call('ZADD', namespaces, 'CH', 'inf', namespace) == 1) then
      if namespaces then call('ZADD', namespaces .. ':names', 0, namespace) end
      call('PERSIST', items)
      call('PERSIST', known)
    end
    listed[namespace] = true
  else
    local now_ms = math.floor(moment / 1000)
    call('PEXPIRE', item, ttl)
    call('ZADD', items, string.format('%.0f', now_ms + ttl), member)
    call('ZREMRANGEBYSCORE', items, '-inf', now_ms)
    local last = call('ZREVRANGE', items, 0, 0, 'WITHSCORES')[2]
    if last ~= 'inf' then
      call('PEXPIREAT', items, last)
      call('PEXPIREAT', known, string.format('%.0f', math.max(last, call('HGET', known, '~') or 0)))
    end
    if namespaces and call('ZADD', namespaces, 'CH', last, namespace) == 1 then
      call('ZADD', namespaces .. ':names', 0, namespace)
    end
  end
end
