-- uses: session
-- Set and delete fields of a session, all in one step.
-- KEYS[1] session
-- ARGV[1] ttl, ARGV[2] user
-- ARGV[3...] the steps, in order: '=', field, value sets it | '-', field deletes it | '/', field deletes what lies below it
-- Returns 1.
local i = 3
while ARGV[i] do
  local step, field = ARGV[i], ARGV[i + 1]
  if step == '=' then
    redis.call('HSET', session, field, ARGV[i + 2])
    i = i + 1
  elseif step == '-' then
    redis.call('HDEL', session, field)
  else
    for _, other in ipairs(below(field)) do redis.call('HDEL', session, other) end
  end
  i = i + 2
end
sign()
return 1
