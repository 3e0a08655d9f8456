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

-- As they were claimed: what failed first is told as the cause of what fails with it.
local function isBefore(left, right)
  local row, other = left.row, right.row
  if left.run.fence ~= right.run.fence then return left.run.fence < right.run.fence end
  if row.priority ~= other.priority then return row.priority > other.priority end
  if row.due ~= other.due then return row.due < other.due end
  return less(row.key, other.key)
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

-- Of one that is suspect, and not to be taken yet, until when it is left; no more of its row is looked at, since many may be such.
local function restsUntil(text)
  local fine, _, _, _, _, _, _, _, _, _, _, _, _, _, _, lease, _, odd = pcall(decodeFrom, text, 16, 11)
  if not fine or type(odd) ~= "table" or not odd[1] or type(lease) ~= "number" then return nil end
  local _, at = struct.unpack(">I5I6", text)
  local run = {suspectSince = at + odd[1], lease = lease}
  local till = takenAt(run)
  return run.suspectSince <= S.now and till > S.now and till or nil
end

-- So many of those whose lease is over, and whether there are more. Those whose lease was given by a clock that has been set back since are
-- over too.
local function overdue(from)
  local keys, entries, at = {}, call("ZRANGEBYSCORE", K.active, "-inf", "(" .. string.format("%.17g", S.now), "WITHSCORES", "LIMIT", from, LOOKED_AT), 1
  while entries[at] and #keys < LOOKED_AT do
    add(keys, entries[at])
    at = at + 2
  end
  local isPart = entries[at] ~= nil or #entries == LOOKED_AT * 2
  for place = #entries, at, -1 do entries[place] = nil end
  if from > 0 then return keys, entries, isPart end
  local last = call("ZREVRANGE", K.active, 0, 63, "WITHSCORES")
  for place = 1, #last, 2 do
    local lease = leaseOf(last[place])
    if not (lease and tonumber(last[place + 1]) > S.now + lease) then break end
    add(keys, last[place])
  end
  return keys, entries, isPart
end

-- How many of these are still there, so that the next look goes on behind them. Of a claim each run is an entry by now, and may have come
-- behind others of the same instant: then it is looked at twice, rather than one of those not at all.
local function left(entries, resting)
  local count, last = 0, entries[#entries]
  local function see(key)
    local row = S.rows[key]
    if resting[key] or row and row.run then count = count + 1 end
  end
  for place = 1, #entries, 2 do
    local entry = entries[place]
    local claim = byte(entry) == CLAIM and claimOf(entry)
    if byte(entry) ~= CLAIM then see(entry)
    elseif claim and entries[place + 1] ~= last then
      for at = 1, #claim.list, 2 do see(M.keyIn(claim.list[at])) end
    end
  end
  return count
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
  -- Of those that are looked at in several parts, all but the first ones.
  local from = S.request.from
  local rebuilt, goesOn, isNew = nil, false, false
  if from == 0 then
    if M.hasLostLines() then
      M.rebuildLines()
      rebuilt = "lines"
    elseif M.rebuildOpening() then rebuilt = "opening" end
    -- Those that have just left a line are not yet written where they stand.
    if rebuilt ~= "lines" and Q.phase == "open" then goesOn, isNew = M.rebuildPlaces() end
    if isNew then rebuilt = "places" end
    openLimits()
    M.loseHolders()
  end
  local reaped, nextAt, resting, due = {}, nil, {}, {}
  local keys, entries, isPart = overdue(from)
  for _, key in ipairs(keys) do
    local text = S.rows[key] == nil and call("HGET", K.rows, key) or nil
    local till = text and restsUntil(text)
    local row = not till and M.rowAt(key, nil, text)
    local run = row and row.run
    if till then
      resting[key] = true
      nextAt = math.min(nextAt or till, till)
    elseif not run then
      if not row or row.isLost then M.lose(key, "active") end
      M.index(K.active):remove(key)
      M.leaveClaim(key)
    else
      -- Since later than now: the clock has been set back.
      run.suspectSince = math.min(run.suspectSince or S.now, S.now)
      local at = takenAt(run)
      if S.now >= at then due[#due + 1] = {row = row, run = run, at = at}
      elseif not nextAt or at < nextAt then nextAt = at end
    end
  end
  table.sort(due, isBefore)
  for _, own in ipairs(due) do
    -- One may have ended with another.
    local isThere = own.row.run == own.run
    if isThere and #reaped < S.request.limit and not Q.later then reaped[#reaped + 1] = takeRun(own.row, own.run)
    elseif isThere then nextAt = math.min(nextAt or own.at, own.at) end
  end
  local following = call("ZRANGEBYSCORE", K.active, string.format("%.17g", S.now), "+inf", "WITHSCORES", "LIMIT", 0, 1)
  if following[2] and (not nextAt or following[2] + 1 < nextAt) then nextAt = following[2] + 1 end
  if goesOn then nextAt = S.now end
  return {reaped = reaped, nextAt = nextAt, part = Q.later, rebuilt = rebuilt, from = isPart and from + left(entries, resting) or nil}
end)
`;
