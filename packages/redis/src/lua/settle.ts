/** Settling ended runs: what the caller decided, if the right to the run is still his. */
export const settle: string = String.raw`
-- Outcomes that only a handler brings about: whoever says how it ended says that it began.
local HANDLED = {completed = true, failed = true, retry = true, interrupted = true}
local UNFINISHED = {retry = true, released = true, postponed = true, keyed = true, interrupted = true}

-- Throws what speaks against the flows that these settlements add, before anything is changed.
function M.checkSettlements(settlements)
  local given = {}
  for _, one in ipairs(settlements) do
    if one.add and one.kind == "completed" and M.runOf(one.id, one.fence) then
      -- An id that only shares its key with another is stored: nobody is there who could make a new one.
      for _, flow in ipairs(one.add) do M.checkSources(flow, given) end
    end
  end
end

local function extend(row, dependent, ending)
  local target = M.targetOf(row, dependent[1])
  if FINAL[target.state] then return end
  if dependent[2] == "m" then return M.extendMember(target, dependent[3] or row.id, ending) end
  if dependent[2] == "f" then return end
  M.addEdge(target, ending, dependent[2])
  -- One that was there already may have ended otherwise than by completing.
  local verdict = M.verdictOf(ending, dependent[2])
  if type(verdict) == "table" then M.reconsider(target, verdict) end
end

local function isOver(target)
  local broken = M.brokenOf(target)
  return broken ~= nil and (target.kind == "join" or broken.reason == M.GROUP_FAILED)
end

-- Everything that follows the job is over, since its group has failed: so is what it adds.
local function skipIfInVain(row, followers, jobs)
  local broken = nil
  for _, dependent in ipairs(followers) do
    local target = M.targetOf(row, dependent[1])
    if not isOver(target) then return end
    broken = broken or M.brokenOf(target)
  end
  if not broken then return end
  local unstarted = {}
  for _, row in ipairs(jobs) do if not FINAL[row.state] then unstarted[#unstarted + 1] = row end end
  M.finishAll(unstarted, "skipped", nil, M.GROUP_FAILED, {root = broken.root, reason = M.GROUP_FAILED, failure = false})
  for _, row in ipairs(unstarted) do M.report(row, "skipped", M.GROUP_FAILED, broken.root) end
end

-- Stores flows, and makes whatever waits for the job wait for their ends too. The job itself is not final yet.
local function addFlows(row, flows)
  if not flows or #flows == 0 then return end
  if not row.flow then row.flow = M.nextOrder() end
  local followers = {}
  for place, dependent in ipairs(row.deps or {}) do
    followers[place] = {dependent[1], dependent[2], dependent[3]}
  end
  for _, one in ipairs(M.storeFlows(flows, {part = row.flow})) do
    local ending = M.rowOf(one.stored.id)
    if ending then
      for _, dependent in ipairs(followers) do extend(row, dependent, ending) end
    end
    skipIfInVain(row, followers, one.jobs)
  end
end

-- Ends the run, puts its keys in place of those it had, and lets it wait by them.
local function giveBackKeyed(row, one)
  M.endRun(row)
  M.free(row)
  if type(row.body) == "number" and #one.body <= M.INLINE then M.later("HDEL", K.bodies, "b:" .. row.key) end
  row.body, row.gates, row.unique = one.body, one.gates, nil
  if one.unique then row.unique = {key = one.unique.key, ["until"] = one.unique["until"]} end
  if M.giveUp(row) then return end
  if M.takeOrPark(row) then M.enterLine(row) end
end

-- The job is to run again, unless a user has revoked it meanwhile, or it may not.
local function putBack(row, run, one)
  if one.kind == "retry" or one.kind == "interrupted" then M.recordAttempt(row, run, one.bytes)
  else
    row.attempt = row.attempt - 1
    M.giveStartsBack(row, run.fence)
  end
  if run.revoked then return M.finishUnasked(row, "cancelled", "revoked") end
  if one.kind == "interrupted" and row.once then return M.finishUnasked(row, "failed", "interrupted") end
  row.due = one.due or M.dueBefore(row)
  if one.kind == "keyed" then return giveBackKeyed(row, one) end
  if one.kind == "retry" and one.counts then row.failures = row.failures + 1 end
  M.giveBack(row)
end

-- Settles one run.
function M.settle(one)
  local row, run = M.runOf(one.id, one.fence)
  if not row then
    local job = M.jobOf(one.id)
    if not job or job.isLost then M.lose(M.likelyKeyOf(one.id)) end
    return job and job.settled == one.fence and one.fence ~= 0 and "repeated" or "lost"
  end
  if one.kind == "completed" and one.add and M.hasTakenId(one.add) then return "refused" end
  row.settled = one.fence
  if HANDLED[one.kind] then M.begin(row, run) end
  if run.begun then row.startedAt, run.startedAt = one.startedAt, one.startedAt end
  if UNFINISHED[one.kind] then putBack(row, run, one)
  else
    if one.kind == "completed" then addFlows(row, one.add) end
    if one.kind ~= "completed" and run.begun then M.recordAttempt(row, run, one.bytes) end
    M.finish(row, one.kind, one.bytes, one.reason)
  end
  return "applied"
end
`;
