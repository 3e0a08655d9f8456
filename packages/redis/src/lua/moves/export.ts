/** The queue leaves for another storage. */
export const exporting: string = String.raw`
local request = S.request

local function x()
  Q.x.moving = Q.x.moving or {}
  return Q.x.moving
end

local function answer(more)
  local told = more or {}
  told.phase, told.epoch, told.departure, told.destination = Q.phase, Q.epoch, x().departure, x().destination
  told.active, told.still = M.countActive(), Q.phase == "left" or x().still == true
  return told
end

local function checkDeparture()
  local leaves = Q.phase == "leaving" or Q.phase == "left"
  if leaves and M.isStill() and x().departure == request.departure then return end
  M.moved(", and is not still for this departure")
end

local function begin()
  if Q.phase == "arriving" then M.moved() end
  if Q.phase == "left" then return end
  if Q.phase == "open" then
    Q.phase = "leaving"
    -- Where it arrives, fences begin with the epoch after this one.
    M.catchUpEpoch()
    x().departure, x().destination = request.name, nil
    S.control = true
  end
  -- Of a queue in several partitions: while something runs in another one, this one is not still either.
  x().still = not request.busy and call("ZCARD", K.active) == 0
end

local function finish()
  checkDeparture()
  if Q.phase == "left" and x().destination ~= request.destination then M.moved(", to another destination") end
  Q.phase = "left"
  x().destination = request.destination
  S.control = true
end

local function cancel()
  if Q.phase == "open" then return end
  if Q.phase == "arriving" then M.moved() end
  if Q.phase == "left" and x().destination ~= request.destination then M.moved(", to another destination") end
  Q.phase = "open"
  x().still, x().departure, x().destination = nil, nil, nil
  S.control, S.ready = true, true
end

local function page()
  checkDeparture()
  local items = {}
  local behind = M.eachRecord(request.cursor, 1000, function(record, cursor)
    items[#items + 1] = {cursor = cursor, record = record}
    return #items < request.limit
  end)
  return answer({items = items, behindAll = behind})
end

local function count()
  checkDeparture()
  local counts = {}
  local behind = M.countRecords(request.cursor, counts)
  return answer({counts = counts, behindAll = behind})
end

if request.kind == "page" or request.kind == "count" then
  return M.look(function()
    M.readQueue()
    return (request.kind == "page" and page or count)()
  end)
end

return M.run(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  if request.kind == "begin" then begin() elseif request.kind == "finish" then finish() else cancel() end
  return answer()
end)
`;
