/** A queue as records that go to another storage. */
export const moving: string = String.raw`
local LONG = {c = "completed", f = "failed", s = "settled"}
local WAITS = {ready = true, scheduled = true, parked = true}

-- Other gates are found closed anew by whoever claims. The place is how many come before it.
local function lineOf(row)
  local gate = row.state == "parked" and row.gate or ""
  if sub(gate, 1, 7) ~= "unique:" and sub(gate, 1, 9) ~= "schedule:" then return nil end
  local member = row.line or ""
  return {gate = gate, place = call("ZLEXCOUNT", K.lines, "[" .. sub(member, 1, 6), "(" .. member)}
end

local function rowRecord(row)
  if row.kind == "join" then
    return {kind = "join", id = row.id, named = row.named == true, mode = row.mode, state = row.state, enqueuedAt = row.enqueuedAt, finishedAt = row.finishedAt,
      reason = row.reason, cause = row.cause}
  end
  local line = lineOf(row)
  local state = row.state
  if (state == "parked" or state == "active") and not line then state = row.due > S.now and "scheduled" or "ready" end
  return {kind = "job", id = row.id, named = row.named == true, task = row.task, state = state, body = M.bodyOf(row), priority = row.priority,
    due = row.due, enqueuedAt = row.enqueuedAt, expiresAt = row.expiresAt, once = row.once, after = row.after, gates = row.gates,
    unique = row.unique, keep = row.keep, attempt = row.attempt, failures = row.failures, crashes = row.crashes, fence = row.fence,
    settled = row.settled, reaped = row.reaped == true, owner = row.owner, startedAt = row.startedAt, finishedAt = row.finishedAt,
    bytes = M.bytesOf(row), reason = row.reason, cause = M.causeOf(row), line = line}
end

local function edgesOf(row, list)
  local function add(source, position, on, member)
    list[#list + 1] = {kind = "edge", source = source, target = row.id, position = position, on = on, member = member}
  end
  if row.kind == "join" then
    local ids = M.memberIds(row)
    for place, id in ipairs(ids) do add(id, place - 1, "member") end
    if row.more then M.beside().each(row, function(entry, place) add(entry[2], #ids + place - 1, "added", entry[1]) end) end
    return
  end
  for place, edge in ipairs(M.edgesOf(row)) do add(edge[1], place - 1, LONG[edge[2]]) end
  if row.gate and sub(row.gate, 1, 9) == "schedule:" then
    local all = call("HGETALL", K.awaited)
    for at = 1, #all, 2 do
      for _, id in ipairs(decode(all[at + 1])[2]) do if id == row.id then add(all[at], -1, "turn") end end
    end
  end
end

-- What refers to a row, or belongs to it.
local function linksOf(row)
  local list = {}
  edgesOf(row, list)
  -- To followers that were removed: their ids are still told.
  for place, dependent in ipairs(row.deps or {}) do
    if M.targetOf(row, dependent[1]).removed then
      list[#list + 1] = {kind = "edge", source = row.id, target = dependent[1], position = place - 1, on = LONG[dependent[2]] or "member"}
    end
  end
  if row.kind == "join" then return list end
  for _, attempt in ipairs(M.storiesOf(row)) do
    attempt.kind, attempt.id = "attempt", row.id
    list[#list + 1] = attempt
  end
  if row.fence > 0 then
    local progress = M.progressOf(row)
    if progress then list[#list + 1] = {kind = "note", id = row.id, position = 0, note = progress} end
    local last = M.lastLine(row.key)
    local first = math.max(1, last - 999)
    for line = first, last do
      local text = call("HGET", K.stories, "l" .. line .. ":" .. row.key)
      if text then list[#list + 1] = {kind = "note", id = row.id, position = line - first + 1, note = decode(text)} end
    end
  end
  return list
end

local function nameRecord(field, text)
  if sub(field, 1, 2) ~= "n:" then return {} end
  local task, state, till = decode(text)
  return {{kind = "name", id = sub(field, 3), task = task, state = state, ["until"] = till}}
end

local function uniqueRecord(key)
  local entry = M.uniqueOf(key)
  local row = M.rowOf(entry.holder)
  local waiting = entry.replacement and M.rowOf(entry.replacement)
  local till = entry["until"]
  return {{kind = "unique", key = key, holder = entry.holder, state = not row and (entry.state or "completed") or nil,
    ["until"] = type(till) == "number" and till or nil, waiting = waiting and not FINAL[waiting.state] and waiting.id or nil}}
end

local function holdRecords(name)
  local found = {}
  for _, ticket in pairs(M.gateOf(name).tickets) do
    found[#found + 1] = {kind = "hold", gate = name, ticket = ticket.ticket, owner = ticket.owner, fence = ticket.fence, expiresAt = ticket.expiresAt}
  end
  table.sort(found, function(left, right) return left.fence < right.fence end)
  return found
end

local function scheduleRecord(name, text)
  local record = decode(text)
  return {{kind = "schedule", name = name, origin = record.origin, task = record.task, bytes = record.bytes, paused = record.paused,
    lastAt = record.lastAt, lastId = record.lastId}}
end

local function valueRecord(key, text)
  local number, content, till = decode(text)
  return {{kind = "value", key = key, number = number and content or nil, bytes = not number and content or nil, expiresAt = till}}
end

local function controlRecords()
  local tasks, names, list = {}, {}, {}
  if Q.paused then list[1] = {kind = "control", paused = true, revoked = false, once = false} end
  for task in pairs(Q.x.paused or {}) do tasks[task] = true end
  for task in pairs(Q.x.revoked or {}) do tasks[task] = true end
  for task in pairs(tasks) do names[#names + 1] = task end
  table.sort(names, less)
  for _, task in ipairs(names) do
    local revoked = Q.x.revoked and Q.x.revoked[task]
    list[#list + 1] = {kind = "control", task = task, paused = (Q.x.paused and Q.x.paused[task]) == true, revoked = revoked ~= nil,
      once = revoked ~= nil and revoked.once == true, ["until"] = revoked and revoked["until"] or nil}
  end
  return list
end

-- Rows that were read ahead, by the order of the one before: each with its own.
local ahead = {}

local function ofRows(records)
  return function(position)
    local last = tonumber(position)
    if not ahead[last] then
      local before, left = last, 100
      M.eachListed(last, function(row, order)
        ahead[before] = {row or false, order}
        before, left = order, left - 1
        return left == 0
      end)
    end
    local row, order = unpack(ahead[last] or {})
    return row and records(row) or {}, order and string.format("%d", order)
  end
end

local function ofHash(key, records)
  return function(position)
    local page, list = call("HSCAN", key, position, "COUNT", 100), {}
    for place = 1, #page[2], 2 do
      for _, record in ipairs(records(page[2][place], page[2][place + 1])) do list[#list + 1] = record end
    end
    return list, page[1] ~= "0" and page[1] or nil
  end
end

-- Starts of one log; of a queue that arrives, what has come is looked at instead.
local function startRecords(key, text)
  local number, span = decode(text)
  local found = {}
  for _, member in ipairs(M.lineAt(K.starts, M.six(number)):all()) do
    local time, fence = struct.unpack(">I6", member, 7), struct.unpack(">I6", member, 19)
    found[#found + 1] = {kind = "start", key = key, time = time, holder = sub(member, 25), fence = fence, ["until"] = time + span}
  end
  return found
end

local function ofHistory(position)
  local waiting = Q.phase == "arriving"
  return ofHash(waiting and K.history or K.limits, waiting and function(field) return {{kind = sub(field, 1, 1) == "s" and "start" or "stats"}} end
    or startRecords)(position)
end

local function feedRecord()
  local own = Q.x.feed
  if not own or not own["until"] then return {} end
  return {{kind = "feed", tag = own.tag, last = own.last, gone = own.gone, ["until"] = own["until"]}}
end

local function eventRecords(position)
  local list, last = {}, nil
  if not Q.x.feed or not Q.x.feed["until"] then return list, nil end
  for _, entry in ipairs(call("XRANGE", K.feed, "(" .. position .. "-18446744073709551615", "+", "COUNT", 100)) do
    local record = M.eventOf(entry)
    if record then
      record.kind = "event"
      list[#list + 1] = record
    end
    -- Ours are told no further than where they end.
    last = string.match(entry[1], "^%d+")
  end
  return list, last
end

-- Statistics come behind all of these: those of several processes are added up outside.
local SECTIONS = {
  ofRows(function(row) return {rowRecord(row)} end), ofRows(linksOf), ofHash(K.memory, nameRecord), ofHash(K.uniques, uniqueRecord),
  ofHash(K.gates, holdRecords), ofHash(K.schedules, scheduleRecord), function() return controlRecords(), nil end, ofHash(K.values, valueRecord),
  ofHistory, function() return feedRecord(), nil end, eventRecords,
}

-- Goes on after a cursor, and hands each record to take, with the cursor behind it, until that answers false.
function M.eachRecord(cursor, steps, take)
  local section, position, offset = string.match(cursor or "1:0:0", "^(%d+):(%d+):(%d+)$")
  if not section then M.refuse("TASKQ_STORAGE", 'export: expected a cursor of this queue, got "' .. cursor .. '"') end
  section, offset = tonumber(section), tonumber(offset)
  for _ = 1, steps do
    if not SECTIONS[section] then return nil end
    local records, following = SECTIONS[section](position)
    local last = following == nil and section + 1 .. ":0:0" or section .. ":" .. following .. ":0"
    for place = offset + 1, #records do
      local behind = place == #records and last or section .. ":" .. position .. ":" .. place
      if not take(records[place], behind) then return behind end
    end
    if following then position = following
    else section, position = section + 1, "0" end
    offset = 0
  end
  return section .. ":" .. position .. ":0"
end

-- A part of the count; where it goes on.
function M.countRecords(cursor, counts)
  local left = 2000
  return M.eachRecord(cursor, 2000, function(record)
    if record.on ~= "turn" then
      local name = record.kind
      if name == "job" then name = "job " .. (WAITS[record.state] and "waiting" or record.state) end
      counts[name] = (counts[name] or 0) + 1
    end
    left = left - 1
    return left > 0
  end)
end
`;
