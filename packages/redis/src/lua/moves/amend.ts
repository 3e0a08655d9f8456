/** Changes jobs by id. */
export const amend: string = String.raw`
local change = S.request.change

-- A join stands for its whole flow. isAlone: no other row was asked for.
local function revoke(row, isAlone)
  local jobs = (row.kind == "join" or change.scope == "flow") and M.flowOf(row) or {row}
  local waiting, others, flagged = {}, {}, 0
  for _, job in ipairs(jobs) do
    if job.state ~= "active" then
      local list = FINAL[job.state] and others or waiting
      list[#list + 1] = job
    elseif M.flagRun(job) then flagged = flagged + 1 end
  end
  for _, job in ipairs(waiting) do M.report(job, "cancelled", "revoked") end
  if isAlone then
    M.unread(waiting)
    M.unread(others)
  end
  M.endTogether(waiting, "cancelled", "revoked")
  return #waiting + flagged > 0
end

local function reschedule(row)
  if row.kind == "join" or row.state == "active" or FINAL[row.state] then return false end
  local gate = row.gate or ""
  -- Lines that a job has to wait in, whatever its due.
  local turn = sub(gate, 1, 7) == "unique:" or sub(gate, 1, 9) == "schedule:"
  local inPlace = row.state == "blocked" or (row.state == "parked" and turn)
  if not inPlace then M.withdraw(row) end
  row.due = change.due
  if not inPlace then M.enterLine(row) end
  return true
end

-- What something unfinished depends on stays.
local function remove(row)
  if row.kind == "join" or not FINAL[row.state] or M.isNeeded(row) then return false end
  M.removeRow(row)
  return true
end

-- Of those that were asked for, some are among the jobs.
local function mended(jobs, asked, others, anew)
  M.mend(jobs, others, anew)
  local ids = {}
  for _, row in ipairs(asked) do ids[#ids + 1] = row.id end
  return {changed = ids}
end

return M.run(function()
  M.readQueue()
  M.refuseStill()
  if M.isBehind() then return {behind = true} end
  local rows, places, seen = {}, {}, {}
  for place, id in ipairs(S.request.ids) do
    local row = not seen[id] and M.rowOf(id)
    seen[id] = true
    if row then
      rows[#rows + 1] = row
      places[#places + 1] = place
    end
  end
  if change.kind == "restore" then
    local jobs, others, asked = M.restorableAmong(rows, change.scope)
    return mended(jobs, asked, others, false)
  end
  if change.kind == "retry" then
    local jobs, others = M.retryableAmong(rows)
    return mended(jobs, jobs, others, true)
  end
  local act = ({revoke = revoke, reschedule = reschedule, remove = remove})[change.kind]
  local ids = {}
  S.bounded = true
  for number, row in ipairs(rows) do
    if act(row, #rows == 1) then ids[#ids + 1] = row.id end
    -- More follows from it than one script may do: the others are asked for again.
    if Q.later then return {changed = ids, done = places[number]} end
  end
  return {changed = ids}
end)
`;
