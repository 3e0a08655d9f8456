/** The schedules of a queue. */
export const schedules: string = String.raw`
local change = S.request.change

-- One that is new, or put in place of another, starts now.
local function define(known)
  local same = known and known.origin == change.origin and known.task == change.task and known.bytes == change.bytes
  local goesOn = known and (change.kind == "declare" or same)
  return not same, {origin = change.origin, task = change.task, bytes = change.bytes, paused = goesOn and known.paused or false,
    lastAt = goesOn and known.lastAt or S.now, lastId = known and known.lastId}
end

return M.run(function()
  M.readQueue()
  if change then M.refuseStill() end
  local all, name = {}, change and change.name or S.request.name
  if name then
    local text = call("HGET", K.schedules, name)
    all[name] = text and M.scheduleOf(text) or nil
  else
    local list = call("HGETALL", K.schedules)
    for place = 1, #list, 2 do all[list[place]] = M.scheduleOf(list[place + 1]) end
  end
  local changed = false
  if change then
    local known = all[change.name]
    local record = known
    if change.kind == "declare" or change.kind == "upsert" then changed, record = define(known)
    elseif change.kind == "remove" then changed, record = known ~= nil, nil
    elseif known and known.paused ~= (change.kind == "pause") then
      changed = true
      record.paused = change.kind == "pause"
      -- One that is resumed goes on from now: what passed meanwhile was not missed.
      if not record.paused then record.lastAt = math.max(record.lastAt, S.now) end
    end
    all[change.name] = record
    if changed then
      S.control = true
      if record then M.later("HSET", K.schedules, change.name, pack(record)) else M.later("HDEL", K.schedules, change.name) end
    end
  end
  local names, records = {}, {}
  for name in pairs(all) do names[#names + 1] = name end
  for place, name in ipairs(names) do
    local record = all[name]
    records[place] = {name = name, origin = record.origin, task = record.task, bytes = record.bytes, paused = record.paused,
      lastAt = record.lastAt, lastId = record.lastId}
  end
  return {changed = changed, schedules = records, made = call("HGET", K.memory, "made") or nil}
end)
`;
