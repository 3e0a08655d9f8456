import { LET_GO_BY_LIMIT } from "@taskq/core/storage";

/** Parking jobs under gates, holding gates, and letting those in line go when one opens. */
export const gates: string = String.raw`
local lineOf, holdersOf = M.lineOf, M.holdersIn
local LET_GO_BY_LIMIT = ${LET_GO_BY_LIMIT}

local function leaveLine(gate, member)
  lineOf(gate):remove(member)
  gate.size = gate.size - 1
end

function M.nameOf(own)
  return own.kind .. ":" .. own.key
end

local function taken(gate)
  return gate.jobs + gate.passing + gate.held
end

-- Tickets that have run out lose their hold or their place.
local function dropExpired(gate)
  local held = 0
  for name, ticket in pairs(gate.tickets) do
    if ticket.expiresAt <= S.now then gate.tickets[name] = nil else held = held + 1 end
  end
  gate.held = held
  for name, ticket in pairs(gate.waiting) do
    if ticket.expiresAt <= S.now then
      gate.waiting[name] = nil
      leaveLine(gate, M.ticketPlace(gate, ticket))
    end
  end
end
M.dropExpired = dropExpired

local function countHeld(gate)
  local held = 0
  for _ in pairs(gate.tickets) do held = held + 1 end
  gate.held = held
end

-- Whether a newcomer with this maximum may hold the gate at once.
function M.hasPlace(gate, max)
  countHeld(gate)
  return gate.size == 0 and taken(gate) < max
end

local function hasRoom(own, row, gate)
  local started = M.countStarts(own)
  if not gate or row.passing then return started < own.max end
  return gate.size == 0 and started + gate.passing < own.max
end

local function isOpen(own, row)
  local gate = M.gateOf(M.nameOf(own))
  if own.kind == "limit" then return hasRoom(own, row, gate) end
  if not gate then return true end
  dropExpired(gate)
  if gate.size == 0 and taken(gate) == 0 then M.planOpening(gate) end
  if row.passing then return gate.jobs + gate.held < own.max end
  return M.hasPlace(gate, own.max)
end

-- The first gate of a ready job that it may not pass now. One that a gate has let go finds closed only what is held or used up: two that
-- each have a place kept where the other needs one would else give up theirs in turns, for ever; and those behind it may allow more
-- holders than it does.
function M.firstClosed(row)
  for _, own in ipairs(row.gates or {}) do
    if not isOpen(own, row) then return own end
  end
end

-- Its gate of this name, if that is closed.
function M.closedAt(row, name)
  if not name then return nil end
  for _, own in ipairs(row.gates or {}) do
    if M.nameOf(own) == name and not isOpen(own, row) then return own end
  end
end

local function ownGate(row, gate)
  for _, own in ipairs(row.gates or {}) do
    if M.nameOf(own) == gate.name then return own end
  end
end

local function instantOf(gate)
  local head = M.headOf(gate)
  local own = head and ownGate(head, gate)
  if own and own.kind == "limit" then return gate.passing < LET_GO_BY_LIMIT and M.instantOfRoom(own, gate.passing) or nil end
  if sub(gate.name, 1, 5) == "task:" then return gate.endsAt end
  if sub(gate.name, 1, 7) == "unique:" then
    local entry = M.uniqueOf(sub(gate.name, 8))
    return entry and type(entry["until"]) == "number" and entry["until"] or nil
  end
  local first = nil
  for _, ticket in pairs(gate.tickets) do if not first or ticket.expiresAt < first then first = ticket.expiresAt end end
  for _, ticket in pairs(gate.waiting) do if not first or ticket.expiresAt < first then first = ticket.expiresAt end end
  return first
end

-- Until when a job may wait that is parked now for its unknown task; nil: for ever.
function M.endOfUnknown()
  return Q.x.unknownAfter and S.now + Q.x.unknownAfter
end

-- Whoever holds it may be gone, and nobody ask for it again. Renewals leave this instant as it is: then it is looked at anew.
local function expireHolds(gate)
  local last = 0
  for _, ticket in pairs(gate.tickets) do last = math.max(last, ticket.expiresAt) end
  gate.expires = last > 0
  if gate.expires then M.expire(last, "g:" .. gate.name) end
end
M.expireHolds = expireHolds

-- Keeps the instant at which the gate may open by itself; lets go of a gate that nobody uses.
function M.planOpening(gate)
  local opening = M.index(K.opening)
  local opensAt = nil
  if gate.size == 0 then
    if Q.x.lines and Q.x.lines[gate.name] then Q.x.lines[gate.name] = nil end
    countHeld(gate)
    if taken(gate) == 0 then
      if gate.planned then opening:remove(gate.name) end
      if gate.expires then M.index(K.expiry):remove("g:" .. gate.name) end
      gate.planned = nil
      S.gates[gate.name] = false
      S.goneGates = S.goneGates or {}
      S.goneGates[gate.name] = true
      return
    end
  else opensAt = instantOf(gate) end
  if not gate.expires and next(gate.tickets) then expireHolds(gate) end
  gate.opensAt = opensAt
  if gate.planned == opensAt then return end
  if opensAt then opening:push(opensAt, gate.name) else opening:remove(gate.name) end
  gate.planned = opensAt
end

function M.goneGates()
  local gone = {}
  for name in pairs(S.goneGates or {}) do if not S.gates[name] then gone[#gone + 1] = name end end
  return gone
end

local openGate

local function stopPassing(row)
  local name = row.passing
  if not name then return end
  row.passing = nil
  local gate = M.gateOf(name)
  if not gate then return end
  gate.passing = gate.passing - 1
  openGate(gate)
end
M.stopPassing = stopPassing

-- Changes the state of a row and the counts with it; joins are not counted.
function M.setState(row, state)
  if row.kind == "job" then
    local from, to = COUNTED[row.state], COUNTED[state]
    if from then Q.counts[from] = Q.counts[from] - 1 end
    if to then Q.counts[to] = Q.counts[to] + 1 end
  end
  row.state = state
end

-- Puts a job that is in no place among the ready ones.
local function makeReady(row)
  M.setState(row, "ready")
  M.index(K.ready):push(-row.priority, M.readyMember(row))
  S.ready = true
end

-- The same among the scheduled or the ready ones, by its due.
function M.enterLine(row)
  if row.due <= S.now then return makeReady(row) end
  M.setState(row, "scheduled")
  M.index(K.scheduled):push(row.due, M.scheduledMember(row))
  S.ready = true
end

-- Whether it is the line of a task, which nobody knows or which is paused.
function M.isTaskLine(name)
  return sub(name, 1, 5) == "task:" or sub(name, 1, 6) == "pause:"
end

-- A job taken out of a line goes on to the ready or the scheduled ones. In the line of a task it was due, though the server's clock may have
-- been set back.
local function enterFromLine(row)
  local gate = row.gate
  row.gate, row.line, row.park = nil, nil, nil
  if gate and M.isTaskLine(gate) then makeReady(row) else M.enterLine(row) end
  if row.state == "ready" then M.report(row, "readied", nil, nil, gate and M.labelOf(gate)) end
end

-- Lets a job go, and keeps a place for it. It was due when it was parked, though the server's clock may have been set back.
local function letThrough(gate, row)
  gate.passing = gate.passing + 1
  row.passing, row.gate, row.line, row.park = gate.name, nil, nil, nil
  makeReady(row)
  M.report(row, "readied", nil, nil, M.labelOf(gate.name))
end

-- Until its place would have been lost, unless it is asked for again.
function M.grant(gate, ticket)
  gate.waiting[ticket.ticket] = nil
  ticket.fence = M.nextFence()
  ticket.expiresAt = math.min(S.now + ticket.ttl, ticket.expiresAt)
  gate.tickets[ticket.ticket] = ticket
  S.control = true
end

-- Lets the first in line go as far as there are places. Lines without holders are let go by letGo only.
function openGate(gate)
  dropExpired(gate)
  while true do
    local row, ticket, member = M.headOf(gate)
    if not row and not ticket then break end
    local max = nil
    if ticket then max = ticket.max
    else
      local own = ownGate(row, gate)
      if own then max = own.kind == "limit" and math.min(own.max - M.countStarts(own), LET_GO_BY_LIMIT) or own.max end
    end
    if not max or taken(gate) >= max then break end
    leaveLine(gate, member)
    if ticket then
      M.grant(gate, ticket)
      gate.held = gate.held + 1
    else letThrough(gate, row) end
  end
  M.planOpening(gate)
end
M.openGate = openGate

-- Those that held it when it was looked at before may not any more.
function M.forgetHolds(name)
  local gate = M.gateOf(name)
  if not gate then return end
  gate.expires = false
  openGate(gate)
end

-- Lets the first in line go, whatever the gate; answers how many went.
function M.letGo(gate, limit)
  local gone = 0
  while gone < limit do
    local row, _, member = M.headOf(gate)
    if not row then break end
    leaveLine(gate, member)
    enterFromLine(row)
    gone = gone + 1
  end
  M.planOpening(gate)
  return gone
end

function M.hold(own, row)
  local gate = M.gateOf(M.nameOf(own), true)
  local member = M.six(gate.number) .. row.key
  local holders = holdersOf(gate)
  if holders:has(member) then return end
  holders:push(0, member)
  gate.jobs = gate.jobs + 1
end

-- Takes all gates of a job that begins to run.
function M.holdGates(row, fence)
  for _, own in ipairs(row.gates or {}) do
    if own.kind == "limit" then M.addStart(own, row.id, fence) else M.hold(own, row) end
  end
  stopPassing(row)
end

-- Gives back all gates of a run that has ended.
function M.freeGates(row)
  for _, own in ipairs(row.gates or {}) do
    local gate = own.kind ~= "limit" and M.gateOf(M.nameOf(own))
    if gate then
      local member = M.six(gate.number) .. row.key
      local holders = holdersOf(gate)
      if holders:has(member) then
        holders:remove(member)
        gate.jobs = gate.jobs - 1
        openGate(gate)
      end
    end
  end
end

-- Gives back the starts that an unbegun run has used up.
function M.giveStartsBack(row, fence)
  for _, own in ipairs(row.gates or {}) do
    if own.kind == "limit" and M.removeStart(own.key, row.id, fence) then
      local gate = M.gateOf(M.nameOf(own))
      if gate then openGate(gate) end
    end
  end
end

-- Of those that came in line from another storage the places are below this: all others come behind them.
local ARRIVED = 1099511627776

-- Puts a job that is parked into the line of its gate.
function M.enterGate(row)
  local gate = M.gateOf(row.gate, true)
  row.line = M.jobPlace(gate, row)
  lineOf(gate):push(0, row.line)
  gate.size = gate.size + 1
  return gate
end

-- Puts a job that is in no place into the line of a gate.
function M.park(row, name)
  M.setState(row, "parked")
  row.gate = name
  row.park = ARRIVED + M.nextOrder()
  local line = M.gateOf(name, true)
  if line.size == 0 and sub(name, 1, 5) == "task:" then line.endsAt = M.endOfUnknown() end
  local gate = M.enterGate(row)
  if M.isTaskLine(name) then
    Q.x.lines = Q.x.lines or {}
    Q.x.lines[name] = true
  end
  M.planOpening(gate)
  M.report(row, "parked", nil, nil, M.labelOf(name))
end

-- Takes a waiting job out of its place; it keeps its state until it is given another one.
function M.withdraw(row)
  if row.state == "scheduled" then M.index(K.scheduled):remove(M.scheduledMember(row)) end
  if row.state == "ready" then
    M.index(K.ready):remove(M.readyMember(row), -row.priority)
    stopPassing(row)
  end
  if row.state ~= "parked" or not row.gate then return end
  local gate = M.gateOf(row.gate, true)
  leaveLine(gate, row.line)
  row.gate, row.line, row.park = nil, nil, nil
  -- The next one may need fewer places free than this one did.
  openGate(gate)
end
`;
