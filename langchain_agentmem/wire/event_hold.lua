-- Go on holding events that a consumer was given and has not got to yet, so that they do not count as stuck meanwhile.
-- To hold on is no delivery. What another consumer has taken over, or what is no longer in the stream, stays as it is.
-- KEYS[1] the stream
-- ARGV[1] group  [2] consumer  [3..] cursors of the events
-- Returns the cursors of those that are still its own
local held = {}
for i = 3, #ARGV do
  local entry = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1)[1]
  if entry and entry[2] == ARGV[2] then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'JUSTID')
    held[#held + 1] = ARGV[i]
  end
end
return held
