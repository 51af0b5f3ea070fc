-- uses: thread
-- A thread as bytes, to be restored under another id.
-- KEYS[1] thread
-- Returns suffix, DUMP of the key with that suffix, suffix, DUMP...; nothing when there is no such thread
local parts = {}
each_checkpoint_key(function(key)
  local dump = redis.call('DUMP', key)
  if dump then
    parts[#parts + 1] = string.sub(key, #thread + 1)
    parts[#parts + 1] = dump
  end
end)
return parts
