/** Records an instant of a schedule and enqueues what belongs to it. */
export const tick: string = String.raw`
local request = S.request

-- The end of the flow enqueued last, while that is not final.
local function unfinishedEnd(record)
  local row = record.lastId and M.rowOf(record.lastId)
  if row and not FINAL[row.state] then return row end
end

-- How many flows may be enqueued: all, or one to wait for a run that has begun.
local function allowed(record)
  if request.overlap == "allow" or not unfinishedEnd(record) then return #request.flows end
  if request.overlap == "skip" then return 0 end
  for _, id in ipairs(record.lastJobs or {}) do
    local row = M.jobOf(id)
    if row and (row.state == "active" or row.attempt > 0) then return 1 end
  end
  return 0
end

local function storeOne(record, flow)
  local before = request.overlap ~= "allow" and unfinishedEnd(record) or nil
  local rows = M.storeFlows({flow}, {gate = before and "schedule:" .. request.name or nil})[1]
  if rows.stored.status == "stored" then
    local ids = {}
    for place, row in ipairs(rows.jobs) do ids[place] = row.id end
    if before then M.awaitEnd(before.id, request.name, ids) end
    record.lastId, record.lastJobs = flow["end"], ids
  end
  return rows.stored
end

local function fire(record)
  if record.paused then return "paused", {} end
  if #request.flows > 0 and M.revocationOf(record.task) then
    M.useUpRevocation(record.task)
    return "revoked", {}
  end
  local stored = {}
  for place = 1, math.min(#request.flows, allowed(record)) do stored[place] = storeOne(record, request.flows[place]) end
  return (#request.flows > 0 and #stored == 0) and "overlapped" or "applied", stored
end

return M.run(function()
  M.readQueue()
  M.admitNew()
  if M.isBehind() then return {behind = true} end
  local text = call("HGET", K.schedules, request.name)
  if not text then return {status = "removed", flows = {}} end
  local record = M.scheduleOf(text)
  if record.lastAt ~= request.previous or request.at <= record.lastAt or request.at > S.now then
    return {status = "stale", lastAt = record.lastAt, flows = {}}
  end
  M.checkFlows(request.flows)
  record.lastAt = request.at
  local status, flows = fire(record)
  M.later("HSET", K.schedules, request.name, pack(record))
  return {status = status, lastAt = request.at, flows = flows}
end)
`;
