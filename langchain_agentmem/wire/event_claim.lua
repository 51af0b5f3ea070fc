-- Take over events that a consumer of the group was given and never acknowledged. XAUTOCLAIM does not tell how often an
-- entry was delivered, and what was delivered too often has to move to the dead letters in the same step.
-- KEYS[1] the stream  [2] the group's STREAM of dead letters
-- ARGV[1] group  [2] consumer that takes over  [3] ms without acknowledgement  [4] deliveries at most
-- ARGV[5] entries at most  [6] dead letters kept, about
-- Returns {cursor, deliveries so far, fields and values} for each entry taken over
local group, most = ARGV[1], tonumber(ARGV[4])
local taken = {}
for _, entry in ipairs(redis.call('XPENDING', KEYS[1], group, 'IDLE', ARGV[3], '-', '+', ARGV[5])) do
  local cursor, given, deliveries = entry[1], entry[2], entry[4]
  local found = redis.call('XRANGE', KEYS[1], cursor, cursor)[1]
  if not found then -- trimmed from the stream while it was waiting
    redis.call('XACK', KEYS[1], group, cursor)
  elseif deliveries >= most then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[6], '*',
      'cursor', cursor, 'deliveries', deliveries, 'consumer', given, unpack(found[2]))
    redis.call('XACK', KEYS[1], group, cursor)
  else
    redis.call('XCLAIM', KEYS[1], group, ARGV[2], ARGV[3], cursor)
    taken[#taken + 1] = {cursor, deliveries + 1, found[2]}
  end
end
return taken
