import { CALL_BYTES, CLAIM_PASSES, CLAIM_SLACK } from "@taskq/core/storage";

/** Claiming ready jobs, and what becomes possible as time passes. */
export const claim: string = String.raw`
local SLACK, PASSES, LET_GO, PROMOTED, OPENED, MOST_BYTES = ${CLAIM_SLACK}, ${CLAIM_PASSES}, 500, 1000, 500, ${CALL_BYTES}
local STATS_KEPT = 172860000

-- Whether jobs of a task are skipped now, and how.
function M.revocationOf(task)
  local revoked = Q.x.revoked
  local own = revoked and revoked[task]
  if not own then return nil end
  if own["until"] and own["until"] <= S.now then
    revoked[task] = nil
    return nil
  end
  return own
end

-- A job or an instant of the task was skipped.
function M.useUpRevocation(task)
  local own = Q.x.revoked and Q.x.revoked[task]
  if own and own.once then Q.x.revoked[task] = nil end
end

-- Makes due jobs ready; whether there are more.
function M.promote()
  local scheduled, ready = M.index(K.scheduled), M.index(K.ready)
  for _ = 1, PROMOTED do
    local member, due = scheduled:peek()
    if not member or due > S.now then return false end
    scheduled:remove(member)
    -- One that is shorter than any of ours goes by itself.
    if #member > 11 then
      local priority = 2147483647 - struct.unpack(">I4", member)
      ready:push(-priority, M.six(due) .. sub(member, 5))
      local row = S.rows[sub(member, 11)]
      if row then row.state = "ready" end
    end
  end
  return true
end

-- A line is looked at no more often than so many times in the time that its jobs may wait.
local LOOKS, ENDED = 64, 500

local function endLine(gate, limit)
  local wait, over, first = Q.x.unknownAfter, {}, nil
  for _, member in ipairs(M.lineOf(gate):all()) do
    local due = struct.unpack(">I6", member, 11)
    if due <= S.now - wait then over[#over + 1] = member
    elseif not first or due < first then first = due end
  end
  for place = 1, math.min(#over, limit) do
    local row = M.rowAt(sub(over[place], 23))
    if not row or row.isLost then M.emptyPlace(gate, over[place])
    elseif not M.endIfExpired(row) then M.finishUnasked(row, "quarantined", "unknown-task") end
    if Q.later then return limit end
  end
  if #over > limit then return limit end
  gate.endsAt = math.max(first and first + wait or 0, S.now + math.ceil(wait / LOOKS))
  return #over
end

-- Ends jobs that have waited too long for somebody who knows their task: a bounded number, the rest with the next step.
function M.endUnknown(gates, knows)
  local left = ENDED
  for _, gate in ipairs(gates) do
    if not Q.x.unknownAfter then gate.endsAt = nil
    elseif Q.paused or knows[sub(gate.name, 6)] then gate.endsAt = M.endOfUnknown()
    elseif not Q.later then left = left - endLine(gate, left) end
    if M.gateOf(gate.name) == gate then M.planOpening(gate) end
  end
end

-- From now on the jobs in all lines of unknown tasks may wait as long as the queue says.
function M.beginLinesAnew()
  for name in pairs(Q.x.lines or {}) do
    local gate = sub(name, 1, 5) == "task:" and M.gateOf(name)
    if gate then
      gate.endsAt = M.endOfUnknown()
      M.planOpening(gate)
    end
  end
end

-- Opens gates whose instant has come; whether there are more of them.
function M.openDueGates(knows)
  local opening, unknown, isPart = M.index(K.opening), {}, true
  for _ = 1, OPENED do
    local name, at = opening:peek()
    if not name or at > S.now then
      isPart = false
      break
    end
    opening:remove(name)
    local gate = M.gateOf(name)
    if gate then
      gate.planned, gate.opensAt = nil, nil
      if sub(name, 1, 5) == "task:" then unknown[#unknown + 1] = gate
      elseif sub(name, 1, 7) == "unique:" then
        M.holderOf(sub(name, 8))
        if M.gateOf(name) == gate then M.planOpening(gate) end
      else M.openGate(gate) end
    end
  end
  M.endUnknown(unknown, knows)
  return isPart
end

-- Lets jobs of known tasks and of resumed ones go; answers whether there are more of them.
function M.letKnownGo(knows)
  local left = LET_GO
  local names = {}
  for name in pairs(Q.x.lines or {}) do names[#names + 1] = name end
  for _, name in ipairs(names) do
    local kind, task = string.match(name, "^(%a+):(.*)$")
    local paused = Q.x.paused and Q.x.paused[task]
    if (kind == "task" and knows[task]) or (kind == "pause" and not paused) then
      local gate = M.gateOf(name)
      if gate then
        gate.endsAt = kind == "task" and M.endOfUnknown() or nil
        left = left - M.letGo(gate, left)
      else Q.x.lines[name] = nil end
      if left == 0 then return gate ~= nil and gate.size > 0 end
    end
  end
  return false
end

-- When something next becomes due, or a gate opens by itself.
function M.nextDue()
  local _, due = M.index(K.scheduled):peek()
  local _, opens = M.index(K.opening):peek()
  if not due then return opens end
  return opens and math.min(due, opens) or due
end

-- Statistics that a process has gathered: a field each, the bytes, and the minute.
-- What was gathered before the queue moved has gone with it, and may have come back.
function M.putStats(rows)
  for _, row in ipairs(rows) do
    if row[4] >= Q.epoch then
      M.later("HSET", K.stats, row[1], row[2])
      M.later("ZADD", K.minutes, row[3], row[1])
    end
  end
  for _, field in ipairs(call("ZRANGEBYSCORE", K.minutes, "-inf", S.now - STATS_KEPT, "LIMIT", 0, 100)) do
    M.later("HDEL", K.stats, field)
    M.later("ZREM", K.minutes, field)
  end
end

-- The handler of a run begins.
function M.begin(row, run)
  if run.begun then return end
  run.begun = true
  row.startedAt, run.startedAt = S.now, S.now
  M.freeOnStart(row)
end

local function mayStart(row, knows)
  if M.endIfExpired(row) then return false end
  local closed = nil
  if not knows[row.task] then closed = "task:" .. row.task
  elseif Q.x.paused and Q.x.paused[row.task] then closed = "pause:" .. row.task end
  if closed then
    M.withdraw(row)
    M.park(row, closed)
    return false
  end
  if not M.revocationOf(row.task) then return true end
  M.useUpRevocation(row.task)
  M.finishUnasked(row, "cancelled", "revoked")
  return false
end

-- Jobs claimed ahead are held without running: not those that others wait behind, or that may run only once.
local function mayBeAhead(row)
  return not (row.gates and #row.gates > 0) and not row.once and not row.reaped
end

-- The same of the row with this key, of which no more is looked at; and its text, if it was read.
local function mayKeyBeAhead(key)
  local row = S.rows[key]
  if row then return mayBeAhead(row) end
  local text = call("HGET", K.rows, key)
  local fine, seldom = pcall(M.seldomOf, text)
  return not fine or mayBeAhead(seldom), text
end

local function start(row, owner, fence, lease, begun, closed)
  M.index(K.ready):remove(M.readyMember(row), -row.priority)
  if not closed then M.holdGates(row, fence) else M.withdraw(row) end
  M.setState(row, "active")
  M.index(K.active):push(S.now + lease, row.key)
  row.attempt = row.attempt + 1
  row.fence, row.owner, row.startedAt = fence, owner, nil
  local verdict = nil
  if closed then verdict = {kind = closed.onBusy, gate = closed.key, gateKind = closed.kind} end
  row.run = {fence = fence, owner = owner, lease = lease, claimedAt = S.now, begun = false, verdict = verdict}
  if begun then M.begin(row, row.run) end
end

-- Deals with a ready job; whether it was claimed, if it may be. The first of a claim gives it its fence. The gate of this name was the
-- first closed one before others were claimed.
local function take(row, owner, knows, claim, begins, mayBe, name)
  if not mayStart(row, knows) then return false end
  local closed = M.closedAt(row, name) or M.firstClosed(row)
  if closed and closed.onBusy == "wait" then
    M.withdraw(row)
    M.park(row, M.nameOf(closed))
    return false
  end
  if mayBe == false then return false end
  claim.fence = claim.fence or M.nextFence()
  start(row, owner, claim.fence, claim.lease, begins, closed)
  return true
end

-- How many bytes of a message that stands apart the answer carries.
local function carriedFor(row)
  return type(row.body) == "number" and row.body or 0
end

-- Claims these of the ready jobs, of which it was looked only that they are there: the others were claimed already. Those for which it
-- is not said whether they begin at once were not to be claimed; whether any are left that could be.
function M.claimOthers(owner, knows, others, lease)
  local rows, claim, more, carried = {}, {lease = lease, fence = others.fence}, false, 0
  for place, key in ipairs(others.keys) do
    if Q.later or carried >= MOST_BYTES then break end
    -- One that was met before may have ended it, with its group.
    local row, begins = M.rowAt(key, true), others.begins[place]
    if row and row.state == "ready" then
      if take(row, owner, knows, claim, begins == 1, begins ~= false, others.closed[place]) then
        row.before = others.before[place]
        rows[#rows + 1] = row
        carried = carried + carriedFor(row)
      else more = more or row.state == "ready" end
    end
  end
  return rows, more or S.ready or #rows < others.count
end

local function readyAmong(ids)
  local rows, seen = {}, {}
  for _, id in ipairs(ids) do
    local row = M.jobOf(id)
    if row and row.state == "ready" and not seen[row.id] then
      seen[row.id] = true
      rows[#rows + 1] = row
    end
  end
  table.sort(rows, function(left, right)
    if left.priority ~= right.priority then return left.priority > right.priority end
    return less(M.readyMember(left), M.readyMember(right))
  end)
  return rows
end

-- Claims the first of the ready jobs, and deals with those that it meets and that may not run.
function M.claim(owner, knows, request)
  if Q.paused then return {}, false end
  local ready = M.index(K.ready)
  local wanted = request.begin + request.ahead
  local rows, left, looked, claim, carried = {}, {}, 0, {lease = request.lease}, 0
  local candidates = request.ids and readyAmong(request.ids)
  local at = 1
  while #rows < wanted and looked < wanted + SLACK and #left < PASSES + math.max(0, #rows - request.begin) and not Q.later and carried < MOST_BYTES do
    local row, isPassed, begins = nil, false, #rows < request.begin
    if candidates then
      row = candidates[at]
      if not row then break end
      at = at + 1
      isPassed = not begins and row.state == "ready" and not mayBeAhead(row)
      if isPassed then left[#left + 1] = ready:leaveOut(-row.priority, M.readyMember(row)) end
    else
      local member, score = ready:peek()
      if not member then break end
      local key, may, text = sub(member, 13), true, nil
      if not begins then may, text = mayKeyBeAhead(key) end
      isPassed = not may
      if isPassed then left[#left + 1] = ready:leaveOut(score, member)
      else
        local isKnown = S.rows[key] ~= nil
        row = M.rowInLine(member, key, text)
        -- An entry that somebody has written into is not its row's, which was read as if it stood there.
        if row and M.readyMember(row) ~= member then
          row = nil
          if not isKnown then S.rows[key] = nil end
        end
        if not row then ready:remove(member) end
      end
    end
    looked = looked + 1
    if row and not isPassed and row.state == "ready" and take(row, owner, knows, claim, begins) then
      rows[#rows + 1] = row
      -- Those that are named are all wanted at once.
      if not candidates then carried = carried + carriedFor(row) end
    end
  end
  local more = not request.ids and (ready:peek() ~= nil or Q.later == true)
  -- One that was met later may have ended some of them, with its group.
  for _, own in ipairs(left) do
    local row = S.rows[sub(own.member, 13)]
    if row == nil or (row and row.state == "ready") then ready:putBack(own) end
  end
  return rows, more, claim.fence, #left > 0
end
`;
