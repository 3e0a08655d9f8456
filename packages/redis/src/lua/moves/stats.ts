/** What was done, and how long the oldest job has been waiting. */
export const stats: string = String.raw`
local LOOKED_AT, FIELDS = 20000, 4000

local function dueOfReady()
  local oldest = nil
  for _, at in ipairs({K.ready, K.blocks}) do
    local from = "-inf"
    for _ = 1, 1000 do
      local head = call("ZRANGEBYSCORE", at, from, "+inf", "WITHSCORES", "LIMIT", 0, 1)
      if not head[1] then break end
      local due = struct.unpack(">I6", head[1])
      if not oldest or due < oldest then oldest = due end
      from = "(" .. head[2]
    end
  end
  return oldest
end

local function dueOfParked()
  local oldest, from, looked = nil, "-", 0
  while looked < LOOKED_AT do
    local members = call("ZRANGEBYLEX", K.lines, from, "+", "LIMIT", 0, 500)
    for _, member in ipairs(members) do
      local kind, due = sub(member, 17, 17), nil
      if kind == "j" then due = struct.unpack(">I6", member, 11)
      elseif kind ~= "t" then
        local row = M.rowAt(sub(member, 24))
        due = row and row.due
      end
      if due and (not oldest or due < oldest) then oldest = due end
    end
    if #members < 500 then return oldest end
    from = "(" .. members[500]
    looked = looked + 500
  end
  return oldest
end

if S.request.put then
  return M.run(function()
    M.readQueue()
    M.putStats(S.request.put)
    return {}
  end)
end

-- How many entries of each are looked at.
local SCANNED = {{M.PLACES.ready[1], 2000}, {M.PLACES.ready[2], 100}, {M.PLACES.scheduled[1], 2000}, {M.PLACES.parked[1], 2000}}

-- Looks at a part of all that waits: since when jobs of each task have been due.
if S.request.scan then
  return M.look(function()
    M.readQueue()
    local place, most = unpack(SCANNED[S.request.scan])
    local at, keysOf = unpack(place)
    local from, oldest = S.request.offset, {}
    local members = call("ZRANGE", at, from, from + most - 1)
    for _, member in ipairs(members) do
      for _, key in ipairs(keysOf(member)) do
        local row = M.rowAt(key, at == K.ready or at == K.blocks)
        if row and row.due <= S.now and (not oldest[row.task] or row.due < oldest[row.task]) then oldest[row.task] = row.due end
      end
    end
    return {oldest = oldest, offset = #members == most and from + most or nil}
  end)
end

-- Fields of whole minutes from one on, some thousands of them, and where to go on: what is written meanwhile is told once, or not yet.
local function fieldsFrom(from)
  local list, following = call("ZRANGEBYSCORE", K.minutes, from, "+inf", "WITHSCORES", "LIMIT", 0, FIELDS), nil
  if #list == FIELDS * 2 then
    following = list[#list]
    if list[2] == following then
      list = call("ZRANGEBYSCORE", K.minutes, following, following, "WITHSCORES")
      following = "(" .. following
    end
  end
  local fields = {}
  for place = 1, #list, 2 do if list[place + 1] ~= following then fields[#fields + 1] = list[place] end end
  return fields, following
end

return M.look(function()
  M.readQueue()
  local fields, following = fieldsFrom(S.request.from)
  local rows = {}
  for place = 1, #fields, 1000 do
    for _, row in ipairs(call("HMGET", K.stats, unpack(fields, place, math.min(place + 999, #fields)))) do
      if row then rows[#rows + 1] = row end
    end
  end
  if S.request.goesOn then return {rows = rows, following = following} end
  local ready, parked = dueOfReady(), dueOfParked()
  local _, oldest = M.index(K.scheduled):peek()
  if ready and (not oldest or ready < oldest) then oldest = ready end
  if parked and (not oldest or parked < oldest) then oldest = parked end
  if oldest and oldest > S.now then oldest = nil end
  return {oldestDue = oldest, rows = rows, following = following}
end)
`;
