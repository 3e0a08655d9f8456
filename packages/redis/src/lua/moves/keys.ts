/** Locks and semaphores outside of jobs, in the lines of the jobs' locks. */
export const keys: string = String.raw`
local request = S.request

local function holders(gate)
  local found = {}
  for _, ticket in pairs(gate.tickets) do
    found[#found + 1] = {owner = ticket.owner, fence = ticket.fence, expiresAt = ticket.expiresAt}
  end
  table.sort(found, function(left, right) return left.fence < right.fence end)
  for _, member in ipairs(M.holdersIn(gate):all()) do
    local row = M.rowAt(sub(member, 7))
    if row and row.run then
      found[#found + 1] = {owner = row.run.owner, fence = row.run.fence, expiresAt = M.index(K.active):score(row.key)}
    end
  end
  return found
end

local function answer(gate, status, ticket)
  return {status = status, fence = ticket and ticket.fence, expiresAt = ticket and ticket.expiresAt, holders = holders(gate)}
end

-- Stands in line like a job of priority 0 that has become due now, behind those of the same millisecond.
local function newTicket()
  return {ticket = request.ticket, owner = request.owner, max = request.max, ttl = request.ttl, due = S.now, order = M.nextOrder(),
    fence = 0, expiresAt = S.now + (request.wait or 0)}
end

-- The time to live begins when the holder is told, and anew at a renewal.
local function told(gate, held)
  held.expiresAt = S.now + request.ttl
  return answer(gate, "held", held)
end

local function acquire(gate)
  local held = gate.tickets[request.ticket]
  if held then return told(gate, held) end
  local waiting = gate.waiting[request.ticket]
  if waiting then
    waiting.ttl = request.ttl
    waiting.expiresAt = S.now + (request.wait or 0)
    return answer(gate, "waiting")
  end
  if M.hasPlace(gate, request.max) then
    local ticket = newTicket()
    M.grant(gate, ticket)
    return told(gate, ticket)
  end
  if not request.wait then return answer(gate, "busy") end
  local ticket = newTicket()
  gate.waiting[request.ticket] = ticket
  M.lineOf(gate):push(0, M.ticketPlace(gate, ticket))
  gate.size = gate.size + 1
  return answer(gate, "waiting")
end

-- Without a ticket, from every holder, runs of jobs too.
local function release(gate)
  local name = request.ticket
  if not name then
    local line = M.holdersIn(gate)
    local all = line:all()
    local held = #all > 0 or next(gate.tickets) ~= nil
    for _, member in ipairs(all) do line:remove(member) end
    gate.tickets, gate.jobs = {}, 0
    return held
  end
  if gate.tickets[name] then
    gate.tickets[name] = nil
    return true
  end
  local waiting = gate.waiting[name]
  if not waiting then return false end
  gate.waiting[name] = nil
  M.lineOf(gate):remove(M.ticketPlace(gate, waiting))
  gate.size = gate.size - 1
  return true
end

return M.run(function()
  M.readQueue()
  if request.kind ~= "inspect" then M.refuseStill() end
  local name = "lock:" .. request.name
  local known = M.gateOf(name)
  -- Whoever has run out goes first, and the next in line holds it from now on.
  if known then M.openGate(known) end
  local gate = M.gateOf(name)
  if not gate and request.kind ~= "acquire" then
    local status = ({renew = "lost", release = "none", inspect = "inspected"})[request.kind]
    return {status = status, holders = {}}
  end
  gate = gate or M.gateOf(name, true)
  local result = nil
  if request.kind == "acquire" then result = acquire(gate)
  elseif request.kind == "renew" then
    local held = gate.tickets[request.ticket]
    result = held and told(gate, held) or answer(gate, "lost")
  elseif request.kind == "release" then
    local released = release(gate)
    if released then M.openGate(gate) end
    result = answer(gate, released and "released" or "none")
  else result = answer(gate, "inspected") end
  if M.gateOf(name) == gate then M.planOpening(gate) end
  return result
end)
`;
