/** Taking back that jobs are final: restoring after a revoke, retrying by hand. */
export const reopen: string = String.raw`
-- All jobs of a flow, from any of its rows; but no error handler that has become ready, and nothing beyond it.
function M.flowOf(start)
  local seen, list, at = {[start.id] = true}, {start}, 1
  local function meet(row)
    local handles = row.kind == "job" and row.state ~= "blocked" and not FINAL[row.state] and M.isErrorHandler(row)
    if not seen[row.id] and not row.removed and not handles then
      seen[row.id] = true
      list[#list + 1] = row
    end
  end
  while list[at] do
    local row = list[at]
    -- Most lead to those that were met: the way to a member leads back to its group.
    local ids = (row.edges or row.kind == "join") and M.sourceIds(row) or {}
    if #ids > 8 then M.readAhead(ids) end
    for _, id in ipairs(ids) do if not seen[id] then meet(M.sourceOf(row, id)) end end
    for _, dependent in ipairs(row.deps or {}) do if not seen[dependent[1]] then meet(M.targetOf(row, dependent[1])) end end
    at = at + 1
  end
  local jobs = {}
  for _, row in ipairs(list) do if row.kind == "job" then jobs[#jobs + 1] = row end end
  return jobs
end

-- "apart": it stands where it stands for a reason of its own.
local function standingOf(row, changed)
  if row.state == "blocked" then return "apart" end
  local broken = M.brokenOf(row)
  local root = broken and broken.root
  if root and root ~= row.id then return changed[root] and "affected" or "apart" end
  if row.kind == "join" then return "affected" end
  if row.state == "active" or row.attempt > 0 then return "started" end
  return root == nil and "affected" or "apart"
end

-- Whoever waits again for a unique key does so in the order of enqueue; joins take none.
local function inOrder(left, right)
  if left.kind ~= right.kind then return left.kind == "job" end
  return left.order < right.order
end

-- All that is still there and stands where it stands because these jobs are final, and one of those that have started since.
local function affectedBy(jobs)
  local asked, changed, list, started = {}, {}, {}, nil
  for place, job in ipairs(jobs) do
    asked[job.id], changed[job.id], list[place] = true, true, job
  end
  local at = 1
  while list[at] do
    local row = list[at]
    if FINAL[row.state] then
      local function meet(other)
        if asked[other.id] and other.kind == "job" and other.attempt > 0 then started = other end
        if not other.removed and not changed[other.id] then
          local standing = standingOf(other, changed)
          if standing == "affected" then
            changed[other.id] = true
            list[#list + 1] = other
          elseif standing == "started" then started = other end
        end
      end
      -- Members of a group all lead to it, which was met with the first of them.
      for _, dependent in ipairs(row.deps or {}) do
        if asked[dependent[1]] or not changed[dependent[1]] then meet(M.targetOf(row, dependent[1])) end
      end
      local victims = M.victims(row)
      if #victims > 8 then M.readAhead(victims) end
      for _, id in ipairs(victims) do meet(M.rowOrGone(id)) end
    end
    at = at + 1
  end
  local others = {}
  for _, row in ipairs(list) do if not asked[row.id] then others[#others + 1] = row end end
  table.sort(others, inOrder)
  return others, started
end

-- What cannot be waited for again, nor read: without it a follower would hang, or reckon with a part.
local function firstRemovedSource(jobs, others)
  local list, seen = {}, {}
  local function add(row)
    if not seen[row.id] then
      seen[row.id] = true
      list[#list + 1] = row
    end
  end
  for _, row in ipairs(jobs) do add(row) end
  for _, row in ipairs(others) do add(row) end
  local at = 1
  while list[at] do
    local row = list[at]
    for _, source in ipairs((row.edges or row.kind == "join") and M.sourcesOf(row) or {}) do
      if source.removed then return source end
      if source.kind == "join" then add(source) end
    end
    at = at + 1
  end
end

-- Revoked jobs among these, or in their flows; what follows them; and of which of these they are.
function M.restorableAmong(rows, scope)
  local jobs, asked, seen = {}, {}, {}
  for _, row in ipairs(rows) do
    local revoked = false
    for _, job in ipairs((row.kind == "join" or scope == "flow") and M.flowOf(row) or {row}) do
      if job.state == "cancelled" and job.reason == "revoked" then
        revoked = true
        if not seen[job.id] then jobs[#jobs + 1] = job end
        seen[job.id] = true
      end
    end
    if revoked then asked[#asked + 1] = row end
  end
  for _, job in ipairs(jobs) do
    if job.attempt > 0 then M.refuse("TASKQ_NOT_RESTORABLE", "the job " .. job.id .. " has run before") end
  end
  local gone, others, passed = nil, nil, {}
  for _, job in ipairs(jobs) do gone = gone or M.failedGroupBehind(job, passed) end
  if not gone then others, gone = affectedBy(jobs) end
  for _, row in ipairs(others or {}) do if not gone and row.kind == "join" then gone = row end end
  if gone then M.refuse("TASKQ_NOT_RESTORABLE", "what followed the revoked job has gone on: " .. gone.id) end
  local lacking = firstRemovedSource(jobs, others)
  if lacking then M.refuse("TASKQ_NOT_RESTORABLE", "a part of the flow was removed: " .. lacking.id) end
  return jobs, others, asked
end

-- Failed and quarantined jobs among these.
function M.retryableAmong(rows)
  local jobs = {}
  for _, row in ipairs(rows) do
    if row.kind == "job" and (row.state == "failed" or row.state == "quarantined") then jobs[#jobs + 1] = row end
  end
  local others, started = affectedBy(jobs)
  if started then M.refuse("TASKQ_FLOW_FINISHED", "what follows the failed job has started: " .. started.id) end
  local lacking = firstRemovedSource(jobs, others)
  if lacking then M.refuse("TASKQ_FLOW_FINISHED", "a part of the flow was removed: " .. lacking.id) end
  return jobs, others
end

-- An error handler that is blocked again needs the job no more that had failed.
local function stopReading(row)
  for _, edge in ipairs(row.edges or {}) do
    local broken = M.brokenOf(M.sourceOf(row, edge[1]))
    local root = broken and M.rowOf(broken.root)
    for place, id in ipairs(root and root.readers or {}) do
      if id == row.id then
        table.remove(root.readers, place)
        break
      end
    end
  end
end

local function block(row)
  if row.kind == "job" then
    if FINAL[row.state] then M.forget(row)
    else
      M.withdraw(row)
      M.free(row)
    end
    M.setState(row, "blocked")
    row.bytes = nil
  else
    if FINAL[row.state] then M.forget(row) end
    row.state = "blocked"
  end
  M.removeVictim(row)
  row.cause, row.failure, row.reason, row.finishedAt = nil, nil, nil, nil
end

local function recount(row)
  if row.kind == "job" then M.recountEdges(row) elseif row.kind == "join" then M.recountMembers(row) end
end

local function reconsider(row, ifBroken)
  if row.state ~= "blocked" then return end
  local isJob = row.kind == "job"
  local broken
  if isJob then broken = M.brokenEdge(row) elseif row.kind == "join" then broken = M.brokenMember(row) end
  if ifBroken and not broken then return end
  if isJob then M.reconsider(row, broken) else M.reconsiderJoin(row, broken) end
end

-- Makes the jobs wait again, and returns the others to blocked, from where they go on as their edges say.
function M.mend(jobs, others, anew)
  local rows, touched, seen = {}, {}, {}
  for _, row in ipairs(jobs) do rows[#rows + 1] = row end
  for _, row in ipairs(others) do rows[#rows + 1] = row end
  for _, row in ipairs(rows) do if row.kind == "job" then stopReading(row) end end
  for _, row in ipairs(rows) do block(row) end
  for _, row in ipairs(jobs) do
    if anew then
      -- A late repeat of the settlement that is undone must not be told that it stands.
      row.due, row.failures, row.crashes, row.settled = S.now, 0, 0, 0
    else row.due = math.max(row.due, S.now) end
  end
  local function touch(row)
    if not seen[row.id] and not row.removed then
      seen[row.id] = true
      touched[#touched + 1] = row
    end
  end
  for _, row in ipairs(rows) do touch(row) end
  for _, row in ipairs(rows) do
    for _, dependent in ipairs(row.deps or {}) do if not seen[dependent[1]] then touch(M.targetOf(row, dependent[1])) end end
  end
  for _, row in ipairs(touched) do recount(row) end
  -- A group that stays failed has no use for what is retried, nor for what follows that.
  if anew then M.giveUpAgain(rows) end
  -- First what cannot run: those that it takes with it enter no line, and take no key.
  for _, row in ipairs(touched) do reconsider(row, true) end
  for _, row in ipairs(jobs) do if anew and row.state == "blocked" then M.enter(row) end end
  for _, row in ipairs(touched) do reconsider(row, false) end
end
`;
