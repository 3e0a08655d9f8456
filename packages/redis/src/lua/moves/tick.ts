/** Records an instant of a schedule and enqueues what belongs to it. */
export const tick: string = String.raw`
local request = S.request

-- The end of the flow enqueued last, while that is not final.
local function unfinishedEnd(record)
  local row = record.lastId and M.rowOf(record.lastId)
  if row and not FINAL[row.state] then return row end
end

-- Whether some job that leads to the end has run, or is running.
local function hasBegun(ending)
  local seen, list, at = {[ending.id] = true}, {ending}, 1
  while list[at] do
    local row = list[at]
    if row.state == "active" or (row.attempt or 0) > 0 then return true end
    for _, source in ipairs(M.sourcesOf(row)) do
      if not seen[source.id] and not source.removed then
        seen[source.id] = true
        list[#list + 1] = source
      end
    end
    at = at + 1
  end
  return false
end

-- How many flows may be enqueued: all, or one to wait for a run that has begun.
local function allowed(record)
  if request.overlap == "allow" then return #request.flows end
  local last = unfinishedEnd(record)
  if not last then return #request.flows end
  return request.overlap == "queue" and hasBegun(last) and 1 or 0
end

local function storeOne(record, flow)
  local before = request.overlap ~= "allow" and unfinishedEnd(record) or nil
  local rows = M.storeFlows({flow}, {gate = before and "schedule:" .. request.name or nil})[1]
  if rows.stored.status == "stored" then
    if before then
      local ids = {}
      for place, row in ipairs(rows.jobs) do ids[place] = row.id end
      M.awaitEnd(before.id, request.name, ids)
    end
    record.lastId = flow["end"]
  end
  return rows.stored
end

-- How many of the first flows are skipped, since their task is revoked: all, or one that uses it up.
local function skip(record)
  local revoked = #request.flows > 0 and M.revocationOf(record.task)
  if not revoked then return 0 end
  if not revoked.once then return #request.flows end
  M.useUpRevocation(record.task)
  return 1
end

local function fire(record)
  if record.paused then return "paused", {}, 0 end
  local skipped = skip(record)
  local left = #request.flows - skipped
  if skipped > 0 and left == 0 then return "revoked", {}, skipped end
  local stored = {}
  for place = 1, math.min(left, allowed(record)) do stored[place] = storeOne(record, request.flows[skipped + place]) end
  return (left > 0 and #stored == 0) and "overlapped" or "applied", stored, skipped
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
  local status, flows, skipped = fire(record)
  M.later("HSET", K.schedules, request.name, pack(record))
  return {status = status, lastAt = request.at, flows = flows, skipped = skipped}
end)
`;
