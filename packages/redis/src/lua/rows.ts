/** Rows of jobs and joins: how they are stored, and those that this call has looked at. */
export const rows: string = String.raw`
local STATES = {"blocked", "ready", "parked", "active", "completed", "failed", "cancelled", "expired", "skipped", "quarantined", "scheduled"}
local CODES = {}
for code, state in ipairs(STATES) do CODES[state] = code end
-- Joins have the same states.
local JOIN = 32
-- Longer bytes stand apart, so that they are not written anew with every change of the row.
local INLINE = 512
local RARE = {"expiresAt", "once", "named", "gates", "unique", "keep", "after", "edges", "deps", "waits", "cause", "failure",
  "gate", "line", "passing", "park", "flow", "reaped", "readers", "withheld", "stories", "added", "kept"}
S.rows, S.members, S.made, S.goneRows = {}, {}, {}, {}

-- What is not random in an id that core made.
function M.placeOf(id)
  if #id == 22 and byte(id, 10) <= 49 and find(id, "^[0-3][0-9a-v]+$") then return sub(id, 1, 14) end
end

function M.readyMember(row)
  return M.six(row.due) .. M.six(row.order) .. row.key
end

function M.scheduledMember(row)
  return M.four(row.priority) .. M.six(row.order) .. row.key
end

-- Jobs become ready without their rows being written anew.
local function stateOf(code, row)
  local state = STATES[code]
  if state == "scheduled" and not M.index(K.scheduled):has(M.scheduledMember(row)) then return "ready" end
  return state
end

function M.decodeRow(key, text)
  local code, suffix, order, task, at, due, priority, attempt, failures, crashes, fence, settled, body, bytes, started, finished,
    reason, owner, run, x = decode(text)
  local row = x or {}
  row.key, row.text, row.order, row.task, row.enqueuedAt = key, text, order, task, at
  row.id = suffix and key .. suffix or sub(key, 2)
  row.due, row.priority, row.attempt, row.failures, row.crashes = at + due, priority, attempt, failures, crashes
  row.fence, row.settled, row.body, row.bytes, row.reason, row.owner = fence, settled, body, bytes, reason, owner
  row.startedAt, row.finishedAt = started and at + started, finished and at + finished
  row.apart = type(bytes) == "number"
  if run then
    row.run = {fence = fence, owner = owner, lease = run[1], claimedAt = at + run[2], begun = run[3],
      startedAt = run[4] and at + run[4] or nil, suspectSince = run[5] and at + run[5] or nil,
      revoked = run[6] or nil, verdict = run[7] or nil}
  end
  if code >= JOIN then
    row.kind, row.mode, row.task = "join", task, nil
    row.state = stateOf(code - JOIN, row)
  else
    row.kind = "job"
    row.state = stateOf(code, row)
  end
  return row
end

function M.encodeRow(row)
  local at, x, run = row.enqueuedAt, nil, nil
  for _, name in ipairs(RARE) do
    local value = row[name]
    if value ~= nil and value ~= false and (type(value) ~= "table" or next(value) ~= nil or name == "after" or name == "gates") then
      x = x or {}
      x[name] = value
    end
  end
  local own = row.run
  if own then
    run = {own.lease, own.claimedAt - at, own.begun, own.startedAt and own.startedAt - at or false,
      own.suspectSince and own.suspectSince - at or false, own.revoked or false, own.verdict or false}
  end
  local suffix = nil
  if byte(row.key) ~= 33 then suffix = sub(row.id, #row.key + 1) end
  local code = CODES[row.state]
  if row.kind == "join" then code = code + JOIN end
  return pack(code, suffix, row.order, row.kind == "join" and row.mode or row.task, at, row.due - at, row.priority, row.attempt, row.failures,
    row.crashes, row.fence, row.settled, row.body, row.bytes, row.startedAt and row.startedAt - at, row.finishedAt and row.finishedAt - at,
    row.reason, row.owner, run, x)
end

function M.rowAt(key)
  local row = S.rows[key]
  if row == nil then
    local text = call("HGET", K.rows, key)
    row = text and M.decodeRow(key, text)
    S.rows[key] = row
  end
  return row or nil
end

-- Reads many at once, so that each of them is at hand.
function M.readAhead(ids)
  local keys, seen = {}, {}
  for _, id in ipairs(ids) do
    local key = M.placeOf(id) or "!" .. id
    if S.rows[key] == nil and not seen[key] then
      seen[key] = true
      keys[#keys + 1] = key
    end
  end
  for from = 1, #keys, 1000 do
    local to = math.min(from + 999, #keys)
    local texts = call("HMGET", K.rows, unpack(keys, from, to))
    for place = from, to do
      local text = texts[place - from + 1]
      S.rows[keys[place]] = text and M.decodeRow(keys[place], text)
    end
  end
end

-- The job or join with this id.
function M.rowOf(id)
  local place = M.placeOf(id)
  if place then
    local row = M.rowAt(place)
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
  local row = M.rowOf(id)
  if row then return row end
  row = S.goneRows[id]
  if not row then
    row = {id = id, key = "?" .. id, kind = "gone", removed = true, state = "completed", attempt = 0}
    S.goneRows[id] = row
  end
  return row
end

function M.runOf(id, fence)
  local row = M.jobOf(id)
  if row and row.run and row.run.fence == fence then return row, row.run end
end

function M.addRow(row)
  S.rows[row.key] = row
end

function M.dropRow(row)
  S.rows[row.key] = false
  S.dropped = S.dropped or {}
  S.dropped[row.key] = row
end

-- Ids of the members of a join.
function M.memberIds(join)
  local ids = S.members[join.key]
  if not ids then
    local text = call("HGET", K.members, join.key)
    ids = text and decode(text) or {}
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

function M.sizeOfBytes(row)
  if not row.bytes then return 0 end
  return type(row.bytes) == "number" and row.bytes or #row.bytes
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
    if row then
      setApart(row, apart)
      local text = M.encodeRow(row)
      if text ~= row.text then
        changed[#changed + 1] = key
        changed[#changed + 1] = text
      end
    end
  end
  for key in pairs(S.dropped or {}) do if not S.rows[key] then gone[#gone + 1] = key end end
  return changed, apart, gone
end
`;
