/** A queue is filled from another storage. */
export const importing: string = String.raw`
local request = S.request

local function x()
  Q.x.moving = Q.x.moving or {}
  return Q.x.moving
end

local function answer(more)
  local told = more or {}
  told.phase, told.epoch, told.departure, told.arrival, told.cursor = Q.phase, Q.epoch, x().origin, x().arrival, x().cursor
  told.complete = Q.phase ~= "arriving" or x().complete == true
  return told
end

-- Schedules and pauses are no jobs: those that move take their place.
local function isEmpty()
  if call("HLEN", K.rows) + call("HLEN", K.values) > 0 then return false end
  local cursor = "0"
  repeat
    local found = call("HSCAN", K.memory, cursor, "MATCH", "n:*", "COUNT", 1000)
    if #found[2] > 0 then return false end
    cursor = found[1]
  until cursor == "0"
  return true
end

-- What the queue has done by itself stays, unless it has gone where the queue has lived since.
local KEPT = {queue = "own", wake = "own", expiry = "own", stats = "history", minutes = "history", limits = "history", starts = "history"}

local function empty()
  for name, key in pairs(K) do
    if not KEPT[name] or (Q.phase == "left" and KEPT[name] == "history") then M.later("UNLINK", key) end
  end
  Q.counts, Q.paused, Q.later = {0, 0, 0, 0, 0, 0, 0, 0}, false, false
  Q.x.paused, Q.x.revoked, Q.x.lines, Q.x.awaited, Q.x.flagged = nil, nil, nil, nil, nil
  Q.x.withheld, Q.x.doneAside, Q.x.goneAside = nil, nil, nil
  Q.x.feed = nil
  S.control = true
end

local function begin()
  local known = request.arrival == x().arrival and request.departure == x().origin
  if request.arrival and not known then M.moved(", and is not where the source has left for") end
  -- Another partition than the home one goes by what that says: it may have begun anew.
  local isKnown = x().origin == request.departure and (not request.beside or x().arrival == request.name)
  if isKnown and (Q.phase == "open" or Q.phase == "arriving") then return end
  if Q.phase == "leaving" then M.moved() end
  if Q.phase == "open" and not isEmpty() then
    M.refuse("TASKQ_MOVE", 'import: expected the queue "' .. request.queue .. '" to be empty, got one that keeps something')
  end
  empty()
  Q.phase = "arriving"
  M.catchUpEpoch()
  Q.epoch = math.max(Q.epoch, request.epoch) + 1
  Q.x.moving = {origin = request.departure, arrival = request.name}
end

local function checkArriving()
  if Q.phase ~= "arriving" or x().origin ~= request.departure then M.moved(", and not from this departure") end
end

-- Nothing that came before it is missing.
local function follows()
  return not request.behind or x().complete or x().sealing or x().cursor == request.behind
end

local function page()
  checkArriving()
  if not follows() then return end
  if not x().complete and not x().sealing then
    for _, record in ipairs(request.records) do
      local isRow = record.kind == "job" or record.kind == "join"
      if not (isRow and M.rowOf(record.id)) then M.RECEIVE[record.kind](record) end
    end
  end
  x().cursor = request.cursor
end

local function linkTurn(row, source)
  if FINAL[source.state] or not row.gate or sub(row.gate, 1, 9) ~= "schedule:" then return end
  local known = M.awaitedBy(source.id)
  local jobs = known and known[2] or {}
  jobs[#jobs + 1] = row.id
  M.awaitEnd(source.id, sub(row.gate, 10), jobs)
end

-- Links a row with what it waits for; answers how many there are.
local function link(row)
  local prefix = struct.pack(">I2", #row.id) .. row.id
  local members, added = {}, {}
  local staged = M.lineAt(K.arriving, prefix):all()
  for _, member in ipairs(staged) do
    local edge = decode(sub(member, #prefix + 7))
    local id, on = edge[1], edge[2]
    local source = M.rowOrGone(id)
    if on == "turn" then linkTurn(row, source)
    elseif on == "member" then
      members[#members + 1] = id
      if not source.removed then M.addDependent(source, row, "m") end
    elseif on == "added" then added[#added + 1] = {edge[3], id}
    else
      M.putEdge(row, id, M.SHORT[on])
      if not source.removed then M.addDependent(source, row, M.SHORT[on]) end
    end
  end
  if row.kind == "join" then
    S.members[row.key] = members
    M.later("HSET", K.members, row.key, pack(members))
    for _, pair in ipairs(added) do
      local member = pair[1]
      -- A storage may not know which member added it; then any does that has completed.
      for place = #members, 1, -1 do
        if not member and M.rowOrGone(members[place]).state == "completed" then member = members[place] end
      end
      local ending = M.rowOrGone(pair[2])
      M.extendMember(row, member or pair[2], ending)
    end
    M.recountMembers(row)
  else M.recountEdges(row) end
  if row.state == "blocked" and row.waits == 0 then
    M.refuse("TASKQ_MOVE", "import: " .. row.id .. " is blocked, and waits for nothing that has arrived")
  end
  if row.kind == "job" and not row.edges then row.waits = nil end
  if row.kind == "job" and row.state ~= "blocked" and row.state ~= "skipped" then M.readRoots(row) end
  return #staged
end

-- Whatever hangs together is one flow.
local function nameFlow(first)
  if first.flow or not (first.deps or first.edges or first.kind == "join") then return 0 end
  local flow, list, at = M.nextOrder(), {first}, 1
  first.flow = flow
  while list[at] do
    for _, rows in ipairs({M.sourcesOf(list[at]), M.targetsOf(list[at])}) do
      for _, row in ipairs(rows) do
        if not row.removed and not row.flow then
          row.flow = flow
          list[#list + 1] = row
        end
      end
    end
    at = at + 1
  end
  return #list
end

-- Does so much of a pass over all rows as fits one script; whether it is done.
local function pass(sealing, work)
  local done = 0
  return M.eachListed(sealing[2], function(row, order)
    sealing[2] = order
    done = done + 1 + (row and work(row) or 0)
    return done >= 500
  end)
end

local function finishSeal()
  for _, name in ipairs(call("HKEYS", K.gates)) do
    local gate = M.gateOf(name)
    if gate then M.planOpening(gate) end
  end
  M.later("UNLINK", K.arriving)
end

local function seal()
  if request.beside and Q.phase == "open" and x().origin == request.departure then return answer() end
  checkArriving()
  if not follows() then return answer() end
  if x().complete then
    local counts = {}
    local behind = M.countRecords(request.from, counts)
    return answer({counts = counts, behindAll = behind})
  end
  local sealing = x().sealing or {1, 0}
  x().sealing = sealing
  if pass(sealing, sealing[1] == 1 and link or nameFlow) then
    sealing[1], sealing[2] = sealing[1] + 1, 0
    if sealing[1] == 3 then
      finishSeal()
      x().sealing = nil
      x().complete = true
    end
  end
  return answer({more = true})
end

-- Adds what has come to what the queue has done by itself, a part of it; whether it is done.
local function mergeHistory()
  local page = call("HSCAN", K.history, 0, "COUNT", 500)[2]
  for place = 1, #page, 2 do
    local kind, rest = sub(page[place], 1, 1), sub(page[place], 3)
    if kind == "s" then
      local key, time, holder, fence = unpack(decode(rest))
      M.mergeStart(key, time, holder, fence, tonumber(page[place + 1]))
    else
      local minute, task = string.match(rest, "^(%d+):(.*)$")
      local field = minute .. ":moved " .. x().arrival .. ":" .. task
      M.later("HSET", K.stats, field, page[place + 1])
      M.later("ZADD", K.minutes, minute, field)
    end
    M.later("HDEL", K.history, page[place])
  end
  return #page / 2 == call("HLEN", K.history)
end

local function open()
  if Q.phase == "open" and x().origin == request.departure and x().arrival == request.arrival then return end
  checkArriving()
  if not x().complete or x().arrival ~= request.arrival then M.moved(", and has not arrived whole") end
  if not mergeHistory() then return answer({more = true}) end
  for _, name in ipairs(call("HKEYS", K.gates)) do
    local gate = sub(name, 1, 6) == "limit:" and M.gateOf(name)
    if gate then M.planOpening(gate) end
  end
  Q.phase = "open"
  x().cursor, x().complete = nil, nil
  S.control, S.ready = true, true
end

local function cancel()
  local origin = x().origin
  if request.beside and Q.phase ~= "arriving" then return end
  if Q.phase ~= "arriving" and origin and (request.departure or origin) == origin then M.moved(", since it has opened here") end
  if Q.phase ~= "arriving" or (request.departure and origin ~= request.departure) then return end
  empty()
  Q.phase = "open"
  Q.x.moving = {arrival = x().arrival}
end

return M.run(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  if request.kind == "seal" then return seal() end
  local act = ({begin = begin, page = page, open = open, cancel = cancel})[request.kind]
  return act() or answer()
end)
`;
