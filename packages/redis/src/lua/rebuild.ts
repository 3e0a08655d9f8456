/** What is made anew from the rows of a queue where somebody has removed a key of it. */
export const rebuild: string = String.raw`
-- By number, as rows have what few of them have.
local GATES, WITHHELD = 6, 21
local SOME_ORDERS = 1048576
local WAITING = {ready = true, scheduled = true}
local ROWS_OF_PART = 10000
-- Gates that one look for lost holders goes through.
local GATES_AT_ONCE = 256
-- Holders, likewise.
local HOLDERS_AT_ONCE = 64

-- So many rows, if it is said how many, from this cursor on; answers where to go on.
local function eachRow(tell, cursor, most)
  local seen = 0
  repeat
    local page = call("HSCAN", K.rows, cursor or "0", "COUNT", 1000)
    cursor = page[1]
    for place = 1, #page[2], 2 do
      seen = seen + 1
      local fine, _, _, code, _, x = pcall(decodeFrom, page[2][place + 1], 4, 11)
      if fine and M.STATES[code] then tell(page[2][place], M.STATES[code], type(x) == "table" and x or {}, page[2][place + 1]) end
    end
  until cursor == "0" or seen >= (most or math.huge)
  return cursor
end

local function lastListed()
  local last = call("XREVRANGE", K.listing, "+", "-", "COUNT", 1)[1]
  return last and tonumber(string.match(last[1], "^%d+")) or 0
end

-- A script that was refused in the midst of what it writes (by an ACL) may have listed rows, and not written down their orders.
function M.catchUpOrder()
  local order = lastListed()
  if order > Q.order then Q.order = order + SOME_ORDERS end
end

-- Until the last of these were given.
local function lastOrder()
  local order = lastListed()
  for _, key in ipairs({K.gates, K.limits}) do
    for _, text in ipairs(call("HVALS", key)) do
      local fine, _, number = pcall(decodeFrom, text, 1)
      if fine and type(number) == "number" then order = math.max(order, number) end
    end
  end
  return order
end

-- Gathers what the rows tell of a queue whose own row is gone, a bounded number with each call; whether there are more. Meanwhile every
-- other call is refused.
function M.gatherRows()
  local text = call("HGET", K.memory, "gathered")
  local cursor, order, counts, withheld = nil, 0, {0, 0, 0, 0, 0, 0, 0, 0}, {0, 0}
  if text then cursor, order, counts, withheld = decode(text) end
  cursor = eachRow(function(key, state, x, text)
    order = math.max(order, (struct.unpack(">I5", text)))
    if WAITING[state] then
      local ended = call("HGET", K.ended, key)
      if ended then state = M.STATES[decode(ended)] end
    end
    if COUNTED[state] then counts[COUNTED[state]] = counts[COUNTED[state]] + 1 end
    local of = state == "completed" and 1 or 2
    for place = 1, #x, 2 do if x[place] == WITHHELD then withheld[of] = withheld[of] + 1 end end
  end, cursor, ROWS_OF_PART)
  call("HSET", K.memory, "gathered", pack(cursor, order, counts, withheld))
  return cursor ~= "0"
end

-- What was gathered for a queue that is there again.
function M.forgetGathered()
  call("HDEL", K.memory, "gathered")
end

-- The row of a queue of which there are jobs, all of which were gathered.
function M.rebuildQueue()
  local _, order, counts, withheld = decode(call("HGET", K.memory, "gathered"))
  M.forgetGathered()
  Q.counts, Q.order, Q.later = counts, math.max(order, lastOrder()) + SOME_ORDERS, call("EXISTS", K.later) == 1
  Q.x.doneAside, Q.x.goneAside = withheld[1], withheld[2]
  Q.x.withheld = withheld[1] + withheld[2]
  Q.x.awaited, Q.x.flagged = call("HLEN", K.awaited), call("HLEN", K.flagged)
  for _, name in ipairs(call("HKEYS", K.gates)) do
    if M.isTaskLine(name) then
      Q.x.lines = Q.x.lines or {}
      Q.x.lines[name] = true
    end
  end
  -- Its numbers would be given again.
  M.later("DEL", K.feed)
end

local some = nil

-- All gates; of many some, from anywhere on.
local function someGates()
  if some then return some end
  if call("HLEN", K.gates) <= GATES_AT_ONCE then some = call("HGETALL", K.gates)
  else some = call("HSCAN", K.gates, string.format("%d", math.random(0, 1000000000)), "COUNT", GATES_AT_ONCE)[2] end
  return some
end

-- Tells anew when lines open by themselves, where that is gone; whether it was of any. Of many gates some are looked at with each call.
function M.rebuildOpening()
  local texts, isLost = someGates(), false
  for place = 1, #texts, 2 do
    local fine, _, _, _, _, _, opensAt = pcall(decodeFrom, texts[place + 1], 5)
    if fine and type(opensAt) == "number" and not M.index(K.opening):score(texts[place]) then
      M.index(K.opening):push(opensAt, texts[place])
      isLost = true
    end
  end
  return isLost
end

-- Whether gates count holders though nothing tells who holds them: then all that were held do, so that some of many are looked at with
-- each call.
local function hasLostHolders()
  if call("EXISTS", K.holds) == 1 then return false end
  local texts = someGates()
  for place = 2, #texts, 2 do
    local fine, _, _, _, jobs = pcall(decodeFrom, texts[place], 3)
    if fine and type(jobs) == "number" and jobs > 0 then return true end
  end
  return false
end

-- Whether jobs are parked that stand in no line, or in one that has no gate (the oldest come first), or behind holders that are not known.
function M.hasLostLines()
  if hasLostHolders() then return true end
  if Q.counts[2] <= 0 then return false end
  if call("ZCARD", K.lines) < Q.counts[2] then return true end
  for _, member in ipairs(call("ZRANGE", K.lines, 0, 7)) do
    local row = M.rowIfRead(sub(member, 23)) or M.rowIfRead(sub(member, 24))
    local gate = row and row.line == member and M.gateOf(row.gate)
    if row and row.line == member then return not gate or M.six(gate.number) ~= sub(member, 1, 6) end
  end
  return false
end

local function enterAgain(row)
  local name = row.gate or ""
  row.gate, row.line = nil, nil
  if sub(name, 1, 9) == "schedule:" then return M.park(row, name) end
  if sub(name, 1, 7) == "unique:" and not M.takeOrPark(row) then return end
  M.enterLine(row)
end

local function eachGate(tell)
  for _, name in ipairs(call("HKEYS", K.gates)) do
    local gate = M.gateOf(name)
    if gate then tell(gate) end
  end
end

-- Entries of claims, all of which are gone: each would count as one run.
local function emptyClaims()
  local count = 0
  if call("EXISTS", K.claims) == 1 then return count end
  for _, entry in ipairs(call("ZRANGE", K.active, 0, -1)) do if byte(entry) == 35 then count = count + 1 end end
  return count
end

-- How many rows more there are than the places tell of.
local function unplaced()
  local placed = M.countReady() + call("ZCARD", K.scheduled) + M.countActive() - emptyClaims() + call("HLEN", K.members)
  for _, count in ipairs(Q.counts) do placed = placed + count end
  return call("HLEN", K.rows) - placed
end

-- Puts a job that stands nowhere among those that wait for their turn or, with its lease, among the runs; whether it did.
local function placeAgain(key, state, text)
  if not WAITING[state] and state ~= "active" then return false end
  if state == "active" then
    if M.index(K.active):has(key) then return false end
  else
    local fine, tail, due = pcall(decodeFrom, text, 18, 11)
    local read, _, priority = pcall(decodeFrom, text, 1, fine and tail or 0)
    if not (fine and read) then return false end
    local order, at = struct.unpack(">I5I6", text)
    local member = M.six(order) .. key
    if M.index(K.ready):has(M.six(at + due) .. member, -priority) or M.index(K.scheduled):has(M.four(priority) .. member) then return false end
    if M.isClaimed(key) then return false end
  end
  local row = M.rowAt(key)
  if row.isLost or FINAL[row.state] then return false end
  if row.run then M.index(K.active):push(row.run.claimedAt + row.run.lease, key)
  else
    -- Of a run that nothing tells of any more it may hold locks, and would wait for itself.
    M.freeGates(row)
    M.enterLine(row)
  end
  return true
end

-- Whoever stands in no place would be met by nobody. Looks at a bounded number of rows; whether there are more, and whether it has begun
-- now. How many are in none though all were looked at is kept, or each call would go through all rows.
function M.rebuildPlaces()
  local missing, text = unplaced(), call("HGET", K.memory, "places")
  local cursor, known = nil, 0
  if text then cursor, known = decode(text) end
  if not cursor and missing <= known then return false, false end
  local isNew = not cursor
  if isNew then M.matchClaims() end
  cursor = eachRow(function(key, state, _, row) if placeAgain(key, state, row) then missing = missing - 1 end end, cursor, ROWS_OF_PART)
  local goesOn = cursor ~= "0"
  if goesOn or missing > 0 then call("HSET", K.memory, "places", pack(goesOn and cursor, missing))
  else call("HDEL", K.memory, "places") end
  return goesOn, isNew
end

-- Whoever holds a place though its row is gone, and its claim with that, is met by nobody. Some are looked at with each call.
function M.loseHolders()
  local count, keys = call("ZCARD", K.holds), {}
  if count == 0 then return end
  local from = math.random(0, count - 1)
  local function add(first, last)
    for _, member in ipairs(call("ZRANGE", K.holds, first, last)) do keys[#keys + 1] = sub(member, 7) end
  end
  add(from, from + HOLDERS_AT_ONCE - 1)
  if #keys < HOLDERS_AT_ONCE and from > 0 then add(0, math.min(from, HOLDERS_AT_ONCE - #keys) - 1) end
  local texts = call("HMGET", K.rows, unpack(keys))
  for place, key in ipairs(keys) do if not texts[place] then M.lose(key, "active") end end
end

-- Jobs in line wait for their turn anew, as those that have just become due, and runs hold their gates again.
function M.rebuildLines()
  local hasHolders = call("EXISTS", K.holds) == 1
  call("DEL", K.lines)
  eachGate(function(gate)
    gate.size = 0
    if not hasHolders then gate.jobs = 0 end
    for _, ticket in pairs(gate.waiting) do
      M.lineOf(gate):push(0, M.ticketPlace(gate, ticket))
      gate.size = gate.size + 1
    end
  end)
  local parked = {}
  eachRow(function(key, state, x)
    local isGated = false
    for place = 1, #x, 2 do isGated = isGated or x[place] == GATES end
    if state ~= "parked" and (not isGated or FINAL[state] or state == "blocked") then return end
    local row = M.rowAt(key)
    if row.state == "parked" then parked[#parked + 1] = row end
    if row.state ~= "active" then return end
    for _, own in ipairs(row.gates or {}) do if own.kind ~= "limit" then M.hold(own, row) end end
  end)
  Q.counts[2] = #parked
  table.sort(parked, function(left, right) return left.order < right.order end)
  for _, row in ipairs(parked) do enterAgain(row) end
  eachGate(M.openGate)
end
`;
