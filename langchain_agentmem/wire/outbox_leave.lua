-- uses: outbox
-- A worker ends: its name leaves the group, and so do those of workers that are long gone. Who has jobs stays, because
-- with the name the jobs would go, too.
-- KEYS[1], ARGV[1] as in outbox.lua
-- ARGV[2] worker
if redis.call('EXISTS', jobs) == 0 then return 0 end
local DAY = 86400000
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', jobs, GROUP)) do
  local worker = {}
  for i = 1, #flat, 2 do worker[flat[i]] = flat[i + 1] end
  if worker.pending == 0 and (worker.name == ARGV[2] or worker.idle > DAY) then
    redis.call('XGROUP', 'DELCONSUMER', jobs, GROUP, worker.name)
  end
end
return 1
