-- uses: outbox
-- Hand threads to the workers: those that are due, or others that wait.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] threads at most  [3] 'due', 'all' or 'these'  [4..] these threads
-- Returns how many were handed over, ms until the next one is due (-1: none waits), the server's time (ms)
ensure_group() -- whoever schedules will read next
local most, which, threads = tonumber(ARGV[2]), ARGV[3], {}
if which == 'these' then
  for i = 4, #ARGV do
    if redis.call('ZSCORE', due, ARGV[i]) then threads[#threads + 1] = ARGV[i] end
  end
else
  threads = redis.call('ZRANGEBYSCORE', due, '-inf', which == 'all' and '+inf' or whole(now), 'LIMIT', 0, most)
end
for _, thread in ipairs(threads) do enqueue(thread) end
local nearest = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
return {#threads, nearest[2] and math.max(0, tonumber(nearest[2]) - now) or -1, now}
