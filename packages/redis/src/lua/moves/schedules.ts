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

-- Names of periodic tasks whose schedules somebody has removed: whoever misses another one knows that the server has lost it.
local function removedNames()
  local set, fine, names = {}, pcall(decode, call("HGET", K.memory, "removed") or "")
  for _, name in ipairs(fine and type(names) == "table" and names or {}) do set[name] = true end
  return set
end

local function remember(name, isRemoved)
  local set = removedNames()
  if (set[name] == true) == isRemoved then return end
  set[name] = isRemoved or nil
  local names = {}
  for own in pairs(set) do names[#names + 1] = own end
  if #names == 0 then return M.later("HDEL", K.memory, "removed") end
  table.sort(names, less)
  M.later("HSET", K.memory, "removed", pack(names))
end

-- Of those that the caller has declared.
local function lostAmong(all)
  local lost, removed = {}, nil
  for _, name in ipairs(Q.phase == "open" and S.request.declared or {}) do
    if not all[name] then
      removed = removed or removedNames()
      if not removed[name] then lost[#lost + 1] = name end
    end
  end
  return lost
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
    if change.kind == "declare" or change.kind == "upsert" then
      changed, record = define(known)
      remember(change.name, false)
    elseif change.kind == "remove" then
      changed, record = known ~= nil, nil
      if known and known.origin == "task" then remember(change.name, true) end
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
  return {changed = changed, schedules = records, lost = lostAmong(all)}
end)
`;
