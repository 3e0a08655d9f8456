/** States by the codes of rows: for the short ways and the rest alike. */
export const states: string =
  'local STATES = {"blocked", "ready", "parked", "active", "completed", "failed", "cancelled", "expired", "skipped", "quarantined", "scheduled"}';

/** What is not random in an id that core made, likewise. */
export const placeOf: string = String.raw`
local function placeOf(id)
  return #id == 22 and string.byte(id, 10) <= 49 and string.find(id, "^[0-3][0-9a-v]+$") and string.sub(id, 1, 14) or false
end
`;

/** Rows of jobs and joins: how they are stored, and those that this call has looked at. */
export const rows: string = String.raw`
${states}
local CODES = {}
for code, state in ipairs(STATES) do CODES[state] = code end
-- Joins have the same states.
local JOIN = 32
-- Longer bytes stand apart, so that they are not written anew with every change of the row.
local INLINE = 512
-- How long an id that a caller gave is known, since it was stored: in milliseconds.
M.REMEMBERED = 86400000
-- What few rows have, by number. The short paths deal with the first five.
local RARE = {"expiresAt", "once", "named", "reaped", "stories", "gates", "unique", "keep", "after", "edges", "deps", "waits", "cause",
  "failure", "gate", "line", "passing", "park", "flow", "readers", "withheld", "more", "kept", "noted"}

-- Tables are stored as lists: the same row is the same bytes whenever it is packed.
local function listed(name, value)
  if name == "unique" then return {value.key, value["until"]} end
  if name == "keep" then return {value.completed or false, value.failed or false, value.completedMax or false, value.failedMax or false} end
  if name ~= "gates" then return value end
  local list = {}
  for place, own in ipairs(value) do list[place] = {own.kind, own.key, own.max, own.per or false, own.onBusy} end
  return list
end

local function unlisted(name, value)
  if name == "unique" then return {key = value[1], ["until"] = value[2]} end
  if name == "keep" then
    return {completed = value[1] or nil, failed = value[2] or nil, completedMax = value[3] or nil, failedMax = value[4] or nil}
  end
  if name ~= "gates" then return value end
  local list = {}
  for place, own in ipairs(value) do list[place] = {kind = own[1], key = own[2], max = own[3], per = own[4] or nil, onBusy = own[5]} end
  return list
end
S.rows, S.members, S.made, S.goneRows, S.apart = {}, {}, {}, {}, {}
M.STATES, M.INLINE = STATES, INLINE

${placeOf}
local places = {}

function M.placeOf(id)
  local place = places[id]
  if place == nil then
    place = placeOf(id)
    places[id] = place
  end
  return place or nil
end

-- Of a row that nothing stands beside: its order, of which the first byte is 0, and its key.
local BARE = 20

-- The key of what stands among completed rows, or in a claim: of a row on which something hangs, behind a byte.
local HANGING = 2
function M.keyIn(member)
  local first = byte(member)
  return first == 0 and sub(member, 7) or first == HANGING and sub(member, 2) or member
end

-- Of rows that completed together many are one entry, behind a byte that is 1.
function M.entriesOf(member)
  if byte(member) ~= 1 then return nil end
  local list = {}
  for from = 2, #member, BARE do list[#list + 1] = sub(member, from, from + BARE - 1) end
  return list
end

function M.readyMember(row)
  return M.six(row.due) .. M.six(row.order) .. row.key
end

function M.scheduledMember(row)
  return M.four(row.priority) .. M.six(row.order) .. row.key
end

-- As it stands, and looked at alone.
local function decodeRow(key, text)
  local order, at = struct.unpack(">I5I6", text)
  local _, due, code, task, x, attempt, failures, crashes, fence, settled, started, finished, reason, owner, lease, claimed, odd, apart,
    suffix, priority, body, bytes = decodeFrom(text, 21, 11)
  -- With all fields at once: a table that grows by each is made anew several times.
  local row = {
    key = key, text = text, order = order, task = task, enqueuedAt = at, id = suffix and key .. suffix or sub(key, 2),
    due = at + due, priority = priority, attempt = attempt, failures = failures, crashes = crashes,
    fence = fence, settled = settled, body = apart or body, bytes = bytes, reason = reason, owner = owner,
    startedAt = started and at + started, finishedAt = finished and at + finished,
    apart = type(bytes) == "number", kind = "job", state = false, wasCompleted = false, run = nil,
  }
  if x then
    for place = 1, #x, 2 do
      local name = RARE[x[place]]
      row[name] = unlisted(name, x[place + 1])
    end
  end
  if lease then
    local suspect, revoked, verdict = unpack(odd or {})
    row.run = {fence = fence, owner = owner, lease = lease, claimedAt = at + claimed, begun = started ~= nil, startedAt = row.startedAt,
      suspectSince = suspect and at + suspect or nil, revoked = revoked or nil,
      verdict = verdict and {kind = verdict[1], gate = verdict[2], gateKind = verdict[3]} or nil}
  end
  if code >= JOIN then row.kind, row.mode, row.task = "join", task, nil end
  row.state = STATES[code % JOIN]
  return row
end

-- How it stands: jobs become ready without their rows being written anew. Rows in line are known to be there, others that seem ready may
-- have been claimed.
local function place(row, inLine)
  if inLine and row.kind == "job" then row.state = "ready"
  elseif row.state == "scheduled" and not M.index(K.scheduled):has(M.scheduledMember(row)) then row.state = "ready" end
  if row.kind == "join" then return row end
  if row.state == "ready" and not inLine then M.unfold(row) end
  row.wasCompleted = row.state == "completed"
  return row
end

-- What few rows have, by name and as it is stored, and nothing else of a row.
function M.seldomOf(text)
  local _, _, _, _, x = decodeFrom(text, 4, 11)
  local seldom = {}
  for place = 1, x and #x or 0, 2 do seldom[RARE[x[place]]] = x[place + 1] end
  return seldom
end

function M.encodeRow(row)
  local at, x, odd = row.enqueuedAt, nil, nil
  for number = 1, #RARE do
    local name = RARE[number]
    local value = row[name]
    if value and (type(value) ~= "table" or next(value) ~= nil or name == "after" or name == "gates") then
      x = x or {}
      x[#x + 1] = number
      x[#x + 1] = listed(name, value)
    end
  end
  local run = row.run or {}
  if run.suspectSince or run.revoked or run.verdict then
    local verdict = run.verdict
    odd = {run.suspectSince and run.suspectSince - at or false, run.revoked or false,
      verdict and {verdict.kind, verdict.gate, verdict.gateKind} or false}
  end
  local suffix = nil
  if byte(row.key) ~= 33 then suffix = sub(row.id, #row.key + 1) end
  local code = CODES[row.state]
  if row.kind == "join" then code = code + JOIN end
  local apart = type(row.body) == "number" and row.body or nil
  return struct.pack(">I5I6", row.order, at) .. pack(row.due - at, code, row.kind == "join" and row.mode or row.task, x, row.attempt,
    row.failures, row.crashes, row.fence, row.settled, row.startedAt and row.startedAt - at, row.finishedAt and row.finishedAt - at, row.reason,
    row.owner, run.lease, run.claimedAt and run.claimedAt - at, odd, apart, suffix, row.priority, not apart and row.body or nil, row.bytes)
end

-- Of the id of such a row, what its key does not tell: whoever asks for it knows.
local UNKNOWN = "00000000"

-- In place of a row that cannot be read: it is told as quarantined, and not written before it is put aside (lost.ts).
function M.standIn(key, text)
  local read, _, _, _, task, _, _, _, _, _, _, _, _, _, _, _, _, _, _, suffix = pcall(decodeFrom, text or "", 18, 11)
  if not read or type(suffix) ~= "string" or #suffix ~= 8 then suffix = UNKNOWN end
  return {key = key, text = text, order = 0, task = read and type(task) == "string" and task or "unknown", enqueuedAt = S.now, due = S.now,
    id = byte(key) == 33 and sub(key, 2) or key .. suffix, priority = 0, attempt = 0, failures = 0, crashes = 0, fence = 0, settled = 0,
    body = text or "", kind = "job", state = "quarantined", reason = "damaged", finishedAt = S.now, wasCompleted = false,
    named = byte(key) == 33 or nil, isLost = true}
end

local function isSound(row)
  local body = type(row.body)
  return row.state and type(row.order) == "number" and type(row.due) == "number" and type(row.priority) == "number" and type(row.attempt) == "number"
    and type(row.failures) == "number" and type(row.crashes) == "number" and type(row.fence) == "number" and type(row.settled) == "number"
    and (byte(row.key) == 33 or #row.id == 22)
    and (row.kind == "join" and type(row.mode) == "string" or type(row.task) == "string" and (body == "string" or body == "number"))
end

-- One that somebody has cut off within its body is what is there of it; something stands in for any other that cannot be read.
local function decodeKnown(key, text, inLine)
  local fine, row = pcall(decodeRow, key, text)
  if fine and isSound(row) then return place(row, inLine) end
  local read, tail = pcall(decodeFrom, text, 18, 11)
  if read then
    if tail < 0 then tail = #text end
    fine, row = pcall(decodeRow, key, sub(text, 1, tail) .. pack(0, sub(text, tail + 1)))
    if fine and isSound(row) then
      row.text = text
      return place(row, inLine)
    end
  end
  row = M.standIn(key, text)
  S.lost = S.lost or {}
  insert(S.lost, {key = key})
  return row
end

function M.rowAt(key, inLine, known)
  local row = S.rows[key]
  if row == nil then
    local text = known or call("HGET", K.rows, key)
    row = text and decodeKnown(key, text, inLine)
    S.rows[key] = row
  end
  return row or nil
end

-- The same; of one that cannot be read, as somebody has written into it, nothing.
function M.rowIfRead(key)
  local row = M.rowAt(key)
  return row and not row.isLost and row or nil
end

-- Somebody has removed a row, or written into it. In which state it was is told by where it was found, and so is what stands near it.
function M.lose(key, state, near, flow, id)
  S.lost = S.lost or {}
  insert(S.lost, {key = key, state = state, near = near, flow = flow, id = id})
end

-- A row of the ready ones. One that cannot be read, or is gone, keeps no other waiting.
function M.rowInLine(member, key, known)
  local row = M.rowAt(key, true, known)
  if row and not row.isLost and row.kind == "job" then return row end
  -- Shorter than any of ours: nobody is lost.
  if #key < 2 then return nil end
  local _, order = struct.unpack(">I6I6", member)
  M.lose(key, "ready", order)
end

-- The key that the row with this id has, unless another one has it by now.
function M.likelyKeyOf(id)
  return M.placeOf(id) or "!" .. id
end

-- Tells of each of these keys what stands in its row, or that nothing does: many are read at once, and how their runs ended with them.
function M.eachText(keys, see)
  for from = 1, #keys, 1000 do
    local to = math.min(from + 999, #keys)
    local texts = call("HMGET", K.rows, unpack(keys, from, to))
    M.readEnds(keys, from, to)
    for place = from, to do see(keys[place], texts[place - from + 1]) end
  end
end

-- Reads many at once, so that each of them is at hand; and tells them in S.ahead, if that is there.
function M.readAhead(ids)
  local keys, seen = {}, {}
  for _, id in ipairs(ids) do
    local key = places[id] or M.likelyKeyOf(id)
    if S.rows[key] == nil and not seen[key] then
      seen[key] = true
      keys[#keys + 1] = key
    end
  end
  M.eachText(keys, function(key, text)
    local row = text and decodeKnown(key, text)
    S.rows[key] = row
    if row and S.ahead then insert(S.ahead, row) end
  end)
end

-- The job or join with this id.
function M.rowOf(id)
  local place = places[id]
  if place == nil then place = M.placeOf(id) end
  if place then
    local row = S.rows[place]
    if row == nil then row = M.rowAt(place) end
    if row and row.id ~= id and (row.isLost or row.id == place .. UNKNOWN) then row.id = id end
    if row and row.id == id then return row end
  end
  return M.rowAt("!" .. id)
end

function M.jobOf(id)
  local row = M.rowOf(id)
  if row and row.kind == "job" then return row end
end

-- Stands for one that is not stored any more: its neighbours know its id, and nothing else of it.
function M.rowOrGone(id)
  return M.rowOf(id) or M.goneRow(id)
end

function M.goneRow(id)
  local row = S.goneRows[id]
  if not row then
    row = {id = id, key = "?" .. id, kind = "gone", removed = true, state = "completed", attempt = 0}
    S.goneRows[id] = row
  end
  return row
end

function M.runOf(id, fence)
  M.claimAt(fence)
  local row = M.jobOf(id)
  if row and row.run and row.run.fence == fence then return row, row.run end
end

-- Runs of an owner that a user has revoked.
function M.revokedRuns(owner)
  if (Q.x.flagged or 0) == 0 then return {} end
  local found, list = {}, call("HGETALL", K.flagged)
  for place = 1, #list, 2 do
    local row = list[place + 1] == owner and M.rowAt(list[place])
    if row and row.run and row.run.revoked then found[#found + 1] = {id = row.id, fence = row.run.fence} end
  end
  return found
end

-- Forgets rows that a call has only looked at, before it changed any: else each of many would be packed to see whether it has changed.
function M.unread(rows)
  for _, row in ipairs(rows) do
    if not row.isLost and not row.isUnfolded then S.rows[row.key] = nil end
  end
end

function M.addRow(row)
  S.rows[row.key] = row
end

function M.dropRow(row)
  S.rows[row.key] = false
  S.dropped = S.dropped or {}
  S.dropped[row.key] = row
end

-- Ids of the members of a join. What somebody has written there names none, and whoever is handed the join finds that its members are others.
function M.memberIds(join)
  local ids = S.members[join.key]
  if not ids then
    local text = call("HGET", K.members, join.key)
    local fine, list = pcall(decode, text or "\144")
    ids = fine and type(list) == "table" and type(list[1]) == "string" and list or {}
    S.members[join.key] = ids
  end
  return ids
end

function M.bodyOf(row)
  if type(row.body) == "number" then return call("HGET", K.bodies, "b:" .. row.key) or "" end
  return row.body
end

function M.bytesOf(row)
  if type(row.bytes) == "number" then return call("HGET", K.bodies, "r:" .. row.key) or "" end
  return row.bytes
end

-- How many attempts of a job were kept, and the number of the last line of its log. Whatever somebody has written there, whoever goes through
-- them comes to an end.
function M.storyCount(row)
  return type(row.stories) == "number" and math.min(row.stories, call("HLEN", K.stories) + #S.writes) or 0
end

function M.lastLine(key)
  local last = tonumber(call("HGET", K.stories, "n:" .. key) or nil) or 0
  return last > 0 and last < ${Number.MAX_SAFE_INTEGER} and floor(last) or 0
end

function M.sizeOfBytes(row)
  if not row.bytes then return 0 end
  return type(row.bytes) == "number" and row.bytes or #row.bytes
end

-- What stands beside rows under a field of its own, as this call has left it.
function M.apartAt(field)
  return S.apart[field] or call("HGET", K.bodies, field) or nil
end

local function setApart(row, apart)
  if type(row.body) == "string" and #row.body > INLINE then
    apart[#apart + 1] = "b:" .. row.key
    apart[#apart + 1] = row.body
    row.body = #row.body
  end
  if type(row.bytes) == "string" and #row.bytes > INLINE then
    apart[#apart + 1] = "r:" .. row.key
    apart[#apart + 1] = row.bytes
    row.bytes = #row.bytes
  elseif row.apart and type(row.bytes) ~= "number" then M.later("HDEL", K.bodies, "r:" .. row.key) end
end

-- What has changed, to be written.
function M.changedRows()
  local changed, apart, gone = {}, {}, {}
  for key, row in pairs(S.rows) do
    if row and not row.isLost then
      setApart(row, apart)
      local text = M.encodeRow(row)
      if text ~= row.text then
        if row.wasCompleted and M.retainAnew then M.retainAnew(row) end
        changed[#changed + 1] = key
        changed[#changed + 1] = text
      end
    end
  end
  for field, text in pairs(S.apart) do
    apart[#apart + 1] = field
    apart[#apart + 1] = text
  end
  for key in pairs(S.dropped or {}) do if not S.rows[key] then gone[#gone + 1] = key end end
  return changed, apart, gone
end
`;
