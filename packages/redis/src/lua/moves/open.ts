import { countAt, epochAt } from "../fences.js";

/** Makes a queue ready for use. */
export const open: string = String.raw`
-- Fences begin at the server's time: those of a queue that the server has lost are not given again.
local function newQueue()
  local time = call("TIME")
  local at = time[1] * 1000 + floor(time[2] / 1000)
  return {epoch = math.max(0, ${epochAt("at")}), phase = "open", fence = ${countAt("at")}, order = 0, paused = false, later = false,
    counts = {0, 0, 0, 0, 0, 0, 0, 0}, x = {}, looked = 0}
end

-- A partition that is made anew heeds what the others do.
local function takeControls(packed)
  local paused, tasks, revoked = unpack(decode(packed))
  Q.paused = paused
  for _, task in ipairs(tasks) do
    Q.x.paused = Q.x.paused or {}
    Q.x.paused[task] = true
  end
  for _, own in ipairs(revoked) do
    Q.x.revoked = Q.x.revoked or {}
    Q.x.revoked[own[1]] = {once = false, ["until"] = own[2] or nil}
  end
end

-- Of one whose own row is gone, what the others tell is gathered first.
if call("EXISTS", K.queue) == 0 and call("EXISTS", K.rows) == 1 then
  local fine, goesOn = pcall(M.gatherRows)
  if goesOn then
    return M.look(function()
      if not fine then error(goesOn, 0) end
      return {part = true}
    end)
  end
end

return M.run(function()
  local retention, made, isNew, isRebuilt = S.request.retention, nil, call("EXISTS", K.queue) == 0, false
  if not isNew then
    M.readQueue()
    M.catchUpOrder()
    M.forgetGathered()
    made = call("HGET", K.memory, "made") or nil
  else
    Q = newQueue()
    S.queue = Q
    isRebuilt = call("EXISTS", K.rows) == 1
    if isRebuilt then M.rebuildQueue() end
    if S.request.controls then takeControls(S.request.controls) end
    made = isRebuilt and call("HGET", K.memory, "made") or nil
    if not made then
      -- Tells it from one that the server has lost.
      made = string.format("%d.%06d", unpack(call("TIME")))
      M.later("HSET", K.memory, "made", made)
    end
    if S.request.partitions then M.later("HSET", K.memory, "partitions", S.request.partitions) end
    S.control = true
  end
  local rebuilt = S.request.controls and "partition" or "queue"
  -- Who opens it again knows the epoch it had.
  local known = S.request.epoch or 0
  if Q.phase == "open" and Q.epoch < known then Q.epoch = known + 1 end
  local before = Q.x.retention
  for place = 1, 4 do
    if not before or before[place] ~= retention[place] then Q.x.retention = retention end
  end
  if Q.x.unknownAfter ~= S.request.unknownAfter then
    Q.x.unknownAfter = S.request.unknownAfter
    M.beginLinesAnew()
  end
  return {epoch = Q.epoch, phase = Q.phase, made = made, isNew = isNew and not isRebuilt, rebuilt = isRebuilt and rebuilt or nil}
end)
`;
