/** Marks runs whose lease is over, and takes those that were marked half a lease ago. */
export const reap: string = String.raw`
local MAX_CRASHES = 3
local LOOKED_AT = 1000
-- The first byte of an entry that stands for a claim.
local CLAIM = 35

local function putBack(row, run)
  local once = run.begun and row.once
  if run.revoked then M.finishUnasked(row, "cancelled", "revoked")
  elseif once then M.finishUnasked(row, "failed", "interrupted")
  elseif row.crashes > MAX_CRASHES then M.finishUnasked(row, "failed", "crashed")
  else
    -- Neighbours that crashed with a job that crashes its process shall not run beside it again.
    if run.begun then row.due = S.now + floor(math.random() * row.crashes * run.lease)
    else row.due = M.dueBefore(row) end
    M.giveBack(row)
  end
end

local function takeRun(row, run)
  local attempt = row.attempt
  row.reaped = true
  if run.begun then
    row.crashes = row.crashes + 1
    M.recordAttempt(row, run, nil)
  else row.attempt = attempt - 1 end
  putBack(row, run)
  return {id = row.id, fence = run.fence, task = row.task, attempt = attempt, begun = run.begun, state = FINAL[row.state] and row.state or "ready"}
end

local function claimOf(entry)
  return M.claimAt(tonumber(sub(entry, 2)))
end

-- An entry is a run, or a claim: of that all its runs.
local function add(keys, entry)
  if byte(entry) ~= CLAIM then
    keys[#keys + 1] = entry
    return
  end
  local claim = claimOf(entry)
  if not claim then return M.index(K.active):remove(entry) end
  for place = 1, #claim.list, 2 do keys[#keys + 1] = M.keyIn(claim.list[place]) end
end

local function leaseOf(entry)
  if byte(entry) == CLAIM then
    local claim = claimOf(entry)
    return claim and claim.lease
  end
  local row = M.rowIfRead(entry)
  return row and row.run and row.run.lease
end

-- When a run may be taken. Whoever was cut off may be back before its owner, and leaves it a lease to come back too: no
-- more than that, however often the one who asks is cut off.
local function takenAt(run)
  local at = run.suspectSince + run.lease / 2
  local connectedFor = S.request.connectedFor
  if not connectedFor then return at end
  return math.min(math.max(at, S.now - connectedFor + run.lease), at + run.lease)
end

-- Those whose lease was given by a clock that has been set back since are over too.
local function overdue()
  local keys = {}
  for _, entry in ipairs(call("ZRANGEBYSCORE", K.active, "-inf", "(" .. string.format("%.17g", S.now), "LIMIT", 0, LOOKED_AT)) do
    if #keys >= LOOKED_AT then break end
    add(keys, entry)
  end
  local last = call("ZREVRANGE", K.active, 0, 63, "WITHSCORES")
  for place = 1, #last, 2 do
    local lease = leaseOf(last[place])
    if not (lease and tonumber(last[place + 1]) > S.now + lease) then break end
    add(keys, last[place])
  end
  return keys
end

-- The lines of limits whose instant was given by such a clock: else they would wait for it.
local function openLimits()
  local last = call("ZREVRANGE", K.opening, 0, 63, "WITHSCORES")
  for place = 1, #last, 2 do
    local name, at = last[place], tonumber(last[place + 1])
    if at <= S.now then return end
    local gate = sub(name, 1, 6) == "limit:" and M.isAheadOfWindow(sub(name, 7), at) and M.gateOf(name)
    if gate then M.openGate(gate) end
  end
end

return M.run(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  math.randomseed(S.request.random)
  S.bounded = true
  local rebuilt = nil
  if M.hasLostLines() then
    M.rebuildLines()
    rebuilt = "lines"
  end
  local goesOn, isNew = false, false
  -- Those that have just left a line are not yet written where they stand.
  if not rebuilt and Q.phase == "open" then goesOn, isNew = M.rebuildPlaces() end
  if isNew then rebuilt = "places" end
  openLimits()
  local reaped, nextAt = {}, nil
  for _, key in ipairs(overdue()) do
    local row = M.rowAt(key)
    local run = row and row.run
    if not run then
      if not row or row.isLost then M.lose(key, "active") end
      M.index(K.active):remove(key)
      M.leaveClaim(key)
    else
      -- Since later than now: the clock has been set back.
      run.suspectSince = math.min(run.suspectSince or S.now, S.now)
      local at = takenAt(run)
      if S.now >= at and #reaped < S.request.limit and not Q.later then reaped[#reaped + 1] = takeRun(row, run)
      elseif not nextAt or at < nextAt then nextAt = at end
    end
  end
  local following = call("ZRANGEBYSCORE", K.active, string.format("%.17g", S.now), "+inf", "WITHSCORES", "LIMIT", 0, 1)
  if following[2] and (not nextAt or following[2] + 1 < nextAt) then nextAt = following[2] + 1 end
  if goesOn then nextAt = S.now end
  return {reaped = reaped, nextAt = nextAt, part = Q.later, rebuilt = rebuilt}
end)
`;
