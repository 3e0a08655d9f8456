/** What callers are told of a line, by the name of its gate: for the short way of a step and the rest alike. */
export const labels: string = String.raw`
local KINDS = {lock = true, concurrency = true, limit = true, task = true, pause = true, unique = true, schedule = true}

-- What callers are told: locks and concurrency keys by their key, other lines by their whole name.
local function labelOf(name)
  local kind, key = string.match(name, "^(%a+):(.*)$")
  if kind ~= "lock" and kind ~= "concurrency" then return name end
  local inner = string.match(key, "^(%a+):")
  if inner and KINDS[inner] then return name end
  return key
end
`;

/** Gates: how they are stored, their names, and the places in their lines. */
export const gateRows: string = String.raw`
S.gates = {}
${labels}
M.labelOf = labelOf

-- Tickets are stored as lists: the same gate is the same bytes whenever it is packed.
local function named(list)
  local tickets = {}
  for _, own in ipairs(list) do
    tickets[own[1]] = {ticket = own[1], owner = own[2], max = own[3], ttl = own[4], fence = own[5], expiresAt = own[6], due = own[7], order = own[8]}
  end
  return tickets
end

local function inOrder(tickets)
  local list = {}
  for _, own in pairs(tickets) do
    list[#list + 1] = {own.ticket, own.owner, own.max, own.ttl, own.fence, own.expiresAt, own.due, own.order}
  end
  table.sort(list, function(left, right) return less(left[1], right[1]) end)
  return list
end

-- Numbers name lines and logs: names of gates may hold any byte.
function M.gateOf(name, make)
  local gate = S.gates[name]
  if gate == nil then
    local text = call("HGET", K.gates, name)
    if text then
      local fine, number, size, jobs, passing, opensAt, tickets, waiting, endsAt = pcall(decode, text)
      if fine and type(passing) == "number" and type(tickets) == "table" and type(waiting) == "table" then
        gate = {name = name, number = number, size = size, jobs = jobs, passing = passing, opensAt = opensAt or nil,
          tickets = named(tickets), waiting = named(waiting), endsAt = endsAt, text = text}
        gate.planned, gate.expires = gate.opensAt, #tickets > 0
      else
        -- Somebody has written into it: as if he had removed it.
        gate, S.goneGates = false, S.goneGates or {}
        S.goneGates[name] = true
      end
    else gate = false end
    S.gates[name] = gate
  end
  if not gate and make then
    gate = {name = name, number = M.nextOrder(), size = 0, jobs = 0, passing = 0, tickets = {}, waiting = {}}
    S.gates[name] = gate
  end
  return gate or nil
end

function M.changedGates()
  local changed = {}
  for name, gate in pairs(S.gates) do
    if gate then
      local text = pack(gate.number, gate.size, gate.jobs, gate.passing, gate.opensAt or false, inOrder(gate.tickets), inOrder(gate.waiting), gate.endsAt)
      if text ~= gate.text then
        changed[#changed + 1] = name
        changed[#changed + 1] = text
      end
    end
  end
  return changed
end

local function lineOf(gate)
  return M.lineAt(K.lines, M.six(gate.number))
end

local function holdersOf(gate)
  return M.lineAt(K.holds, M.six(gate.number))
end
M.holdersIn = holdersOf
M.lineOf = lineOf

-- Members of a line: the number of the gate, the place, "j" and the key of a job, or "t" and the name of a ticket.
function M.jobPlace(gate, row)
  if sub(gate.name, 1, 7) == "unique:" then return M.six(gate.number) .. M.six(row.park) .. "\0\0\0\0\0\0\0\0\0\0" .. "j" .. row.key end
  return M.six(gate.number) .. M.four(row.priority) .. M.six(row.due) .. "j" .. struct.pack(">I5", row.order) .. row.key
end

function M.ticketPlace(gate, ticket)
  return M.six(gate.number) .. M.four(0) .. M.six(ticket.due) .. "t" .. struct.pack(">I5", ticket.order) .. ticket.ticket
end

-- Of a job whose row cannot be read, or is gone.
function M.emptyPlace(gate, member)
  lineOf(gate):remove(member)
  gate.size = gate.size - 1
  if sub(gate.name, 1, 7) == "unique:" then return M.lose(sub(member, 24), "parked") end
  M.lose(sub(member, 23), "parked", struct.unpack(">I5", member, 18))
end

-- The first in line: a job, or a ticket.
function M.headOf(gate)
  local isUnique = sub(gate.name, 1, 7) == "unique:"
  while gate.size > 0 do
    local member = lineOf(gate):peek()
    if not member then return nil end
    if not isUnique and sub(member, 17, 17) ~= "j" then return nil, gate.waiting[sub(member, 23)], member end
    local row = M.rowAt(sub(member, isUnique and 24 or 23))
    if row and not row.isLost then return row, nil, member end
    M.emptyPlace(gate, member)
  end
end
`;
