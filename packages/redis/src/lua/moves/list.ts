/** Jobs in the order of enqueue, a part of the way at a time. */
export const list: string = String.raw`
local request = S.request
-- Others wait meanwhile. So many rows are looked at where those of a page stand among them, if that is less than all.
local LOOKED_AT, MOST = 500, 5000

-- Nothing for a job that is not stored.
local function orderOf(after)
  if not after then return 0 end
  local order = string.match(after, "^=(%d+)$")
  if order then return tonumber(order) end
  local row = M.jobOf(after)
  return row and row.order or nil
end

-- How many jobs are in a state; nothing where that is not counted. A row that somebody has written into is a quarantined one, and not counted
-- as such yet.
local function countIn(state)
  if state == "quarantined" then return nil end
  if COUNTED[state] then return Q.counts[COUNTED[state]] end
  if state == "ready" then return M.countReady() end
  return state == "active" and M.countActive() or state == "scheduled" and call("ZCARD", K.scheduled) or nil
end

-- How many jobs there are in these states together.
local function countOf(states)
  local sum = 0
  for state in pairs(states) do
    local count = countIn(state)
    if not count then return nil end
    sum = sum + count
  end
  return sum
end

local function keysOfRun(member)
  if byte(member) ~= 35 then return {member} end
  local claim, keys = M.claimAt(tonumber(sub(member, 2))), {}
  for key in pairs(claim and claim.runs or {}) do keys[#keys + 1] = key end
  return keys
end

local function keysOfEnded(member)
  local keys = {}
  for place, entry in ipairs(M.entriesOf(member) or {member}) do keys[place] = M.keyIn(entry) end
  return keys
end

-- Of the final ones all but the completed stand together.
local PLACES = M.PLACES
PLACES.active = {{K.active, keysOfRun}}
PLACES.completed = {{K.done, keysOfEnded}}
for state in pairs(FINAL) do PLACES[state] = PLACES[state] or {{K.gone, keysOfEnded}} end

-- Of the places where those in these states stand, how many entries they have together; nothing where there is no such place.
local function placesOf(states)
  local places, size, seen = {}, 0, {}
  for state in pairs(states) do
    if not PLACES[state] then return nil end
    for _, place in ipairs(PLACES[state]) do
      if not seen[place[1]] then
        seen[place[1]] = true
        local kept = FINAL[state] and M.keptLine(state == "completed")
        places[#places + 1] = {place = place, kept = kept}
        size = size + call("ZCARD", place[1]) + (kept and kept:size() or 0)
      end
    end
  end
  return places, size
end

-- Whether to look at all of these is less than to go through the listing until a page is full. An entry may stand for many.
local function isWorth(size, count)
  local rows = math.max(size, count)
  return rows <= LOOKED_AT * 2 or rows <= MOST and rows * count < request.limit * call("HLEN", K.rows)
end

-- Keys of all that stand there.
local function keysIn(places)
  local keys, met = {}, {}
  local function add(entries, keysOf)
    for _, entry in ipairs(entries) do
      for _, key in ipairs(keysOf(entry)) do
        if not met[key] then keys[#keys + 1] = key end
        met[key] = true
      end
    end
  end
  for _, own in ipairs(places) do
    local kept = own.kept
    add(call("ZRANGE", own.place[1], 0, -1), own.place[2])
    if kept then add(kept:all(), function(member) return {sub(member, #kept.prefix + 7)} end) end
  end
  return keys
end

-- Whether a row is final, in a state that is not asked for: then no more of it is looked at.
local function isOther(text, states)
  local fine, _, _, code = pcall(decodeFrom, text, 3, 11)
  local state = fine and type(code) == "number" and M.STATES[code] or nil
  return state and FINAL[state] and not states[state]
end

-- Rows of jobs in these states, in the order of enqueue, where they are few: so few are not looked for among all others. Nothing where not all
-- of them stand where they should, as what is put aside for what needs it still.
local function fewIn(states)
  local count = countOf(states)
  if count == 0 then return {} end
  local places, size = placesOf(states)
  if not count or not places or not isWorth(size, count) then return nil end
  local rows = {}
  M.eachText(keysIn(places), function(key, text)
    local row = text and not isOther(text, states) and M.rowAt(key, nil, text)
    if row and not row.isLost and row.kind == "job" and states[row.state] then rows[#rows + 1] = row end
  end)
  if #rows ~= count then return nil end
  table.sort(rows, function(left, right) return left.order < right.order end)
  return rows
end

local function tellFew(rows, order)
  local records = {}
  for _, row in ipairs(rows) do
    local isAsked = row.order > order and (not request.task or request.task == row.task)
    if isAsked and #records == request.limit then return {records = records, counts = {}, after = "=" .. string.format("%d", order), ended = false} end
    if isAsked then
      order = row.order
      records[#records + 1] = {order, M.jobRecord(row, true)}
    end
  end
  return {records = records, counts = {}, after = "=" .. string.format("%d", order), ended = true}
end

return M.look(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  local states, counts = nil, {}
  if request.states then
    states = {}
    for _, state in ipairs(request.states) do states[state] = true end
  end
  local order = orderOf(request.after)
  if not order then return {unknown = true} end
  local few = states and not request.walks and fewIn(states)
  if few then return tellFew(few, order) end
  local records, looked = {}, 0
  local ended = M.eachListed(order, function(row, own)
    order = own
    looked = looked + 1
    if row and row.kind == "job" and (not states or states[row.state]) and (not request.task or request.task == row.task) then
      if request.counts then
        local known = counts[row.task] or {}
        counts[row.task] = known
        known[row.state] = (known[row.state] or 0) + 1
      else records[#records + 1] = {order, M.jobRecord(row, true)} end
    end
    return #records >= request.limit or looked >= LOOKED_AT
  end)
  return {records = records, counts = counts, after = "=" .. string.format("%d", order), ended = ended, walks = true}
end)
`;
