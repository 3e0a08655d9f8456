/** Rows that somebody has removed, or written into: they are put aside, and what waits for them is told. */
export const lost: string = String.raw`
-- So many rows a call looks at for those that wait; and rows in a row that are gone.
local LOOKED_AT, GAP = 10000, 64
-- In parts of 500 entries of the listing.
local SEARCHED = 100
local looked = 0

-- The numbers of the flows of the rows that stand next to this order.
local function flowsNear(order)
  local before, after = nil, nil
  M.eachListed(math.max(0, order - GAP), function(row, own)
    looked = looked + 1
    if row and own < order then before = row.flow
    elseif row and own > order then
      after = row.flow
      return true
    end
    return own > order + GAP
  end)
  return {before or after, before and after ~= before and after or nil}
end

local function isKeyOf(key, id)
  return key == M.placeOf(id) or key == "!" .. id
end

-- Adds what this row waits for under that key, as that one knew it.
local function addFrom(row, key, found)
  if row.state ~= "blocked" or found.seen[row.id] then return end
  found.seen[row.id] = true
  local function add(id, on, member, place)
    if not isKeyOf(key, id) then return end
    found.id = id
    insert(found.deps, {row.id, on, member, place})
  end
  for _, edge in ipairs(M.edgesOf(row)) do add(edge[1], edge[2]) end
  if row.kind ~= "join" then return end
  for _, id in ipairs(M.memberIds(row)) do add(id, "m") end
  if row.more then M.beside().each(row, function(entry, place) add(entry[2], "m", entry[1], place) end) end
end

-- What waits for the row with this key: that one knew, so it is looked for among those of its flow, which stand together.
local function waitingFor(own)
  local found = {deps = {}, seen = {}, id = own.id}
  local order = own.near
  if not order or order > Q.order then return found end
  local function scan(flow, from)
    M.eachListed(from, function(row, at, key)
      looked = looked + 1
      if key == own.key then found.order = at
      elseif row and row.flow == flow then addFrom(row, own.key, found)
      elseif row and at > order then return true end
      return looked >= LOOKED_AT
    end)
  end
  for _, flow in ipairs(own.flow and {own.flow} or flowsNear(order)) do
    scan(flow, flow)
    if not found.order then scan(flow, order - 1) end
  end
  return found
end

-- Its order, of one of which only the key is known: whoever waits for its end is seldom far behind.
local function orderOf(key)
  local to = "+"
  for _ = 1, SEARCHED do
    if looked >= LOOKED_AT then return nil end
    local entries = call("XREVRANGE", K.listing, to, "-", "COUNT", 500)
    looked = looked + #entries / 10
    for _, entry in ipairs(entries) do
      local first, keys = tonumber(string.match(entry[1], "^%d+")), entry[2][2]
      local place = keys == key and 1 or byte(keys) ~= 33 and find(keys, key, 1, true)
      if place and place % 14 == 1 then return first + (place - 1) / 14 end
      to = "(" .. entry[1]
    end
    if #entries < 500 then return nil end
  end
end

-- What is held, by the key or the id of who holds it: looked for once in a call, since a row that is lost told it.
local held = nil
local function heldBy()
  held = {gates = {}, uniques = {}}
  local numbers, texts = {}, call("HGETALL", K.gates)
  for place = 1, #texts, 2 do
    local fine, number = pcall(decode, texts[place + 1])
    if fine and type(number) == "number" then numbers[M.six(number)] = texts[place] end
  end
  for _, member in ipairs(call("ZRANGE", K.holds, 0, -1)) do
    local key, name = sub(member, 7), numbers[sub(member, 1, 6)]
    held.gates[key] = held.gates[key] or {}
    insert(held.gates[key], {name, member})
  end
  local uniques = call("HGETALL", K.uniques)
  for place = 1, #uniques, 2 do
    local fine, holder, till = pcall(decode, uniques[place + 1])
    if fine and type(holder) == "string" and type(till) ~= "number" then held.uniques[M.likelyKeyOf(holder)] = uniques[place] end
  end
end

local function giveBack(key)
  if not held then heldBy() end
  for _, own in ipairs(held.gates[key] or {}) do
    local gate = own[1] and M.gateOf(own[1])
    local holders = gate and M.holdersIn(gate)
    if holders and holders:has(own[2]) then
      holders:remove(own[2])
      gate.jobs = gate.jobs - 1
      M.openGate(gate)
    elseif not gate then M.index(K.holds):remove(own[2]) end
  end
  local unique = held.uniques[key]
  if unique then M.holderOf(unique) end
end

local function putAside(own)
  local row = S.rows[own.key]
  if row and not row.isLost then return end
  own.state = own.state or M.isClaimed(own.key) and "active"
  if not own.state then return end
  own.near = own.near or orderOf(own.key)
  local found = waitingFor(own)
  -- One that is gone, and for which nothing waits, leaves nothing to tell.
  M.index(K.active):remove(own.key)
  M.leaveClaim(own.key)
  giveBack(own.key)
  if not row and #found.deps == 0 then
    if own.state == "parked" then Q.counts[2] = Q.counts[2] - 1 end
    return
  end
  row = row or M.standIn(own.key)
  S.rows[own.key] = row
  local isJoin = call("HEXISTS", K.members, own.key) == 1
  if isJoin then M.later("HDEL", K.members, own.key) end
  row.isLost, row.id, row.order, row.deps = nil, found.id or row.id, found.order or own.near or 0, found.deps
  row.state = not isJoin and COUNTED[own.state] and own.state or false
  M.report(row, "quarantined", "damaged")
  M.conclude(row, "quarantined", nil, "damaged")
end

-- Each of which it is known where it stood: the others are met there.
function M.putLostAside()
  if M.isStill() then return end
  local at = 1
  while S.lost[at] do
    putAside(S.lost[at])
    at = at + 1
    if not S.lost[at] then M.follow() end
  end
end
`;
