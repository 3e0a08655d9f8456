/** Taking in records of another storage: what stands alone at once, what hangs together is kept until all is there. */
export const receive: string = String.raw`
local SHORT = {completed = "c", failed = "f", settled = "s"}

local function isFailure(reason)
  return reason == "failed" or reason == "quarantined"
end

-- A row that comes alone: what hangs together is linked once all is there.
local function putRow(record, row)
  row.id, row.state, row.enqueuedAt, row.finishedAt, row.reason = record.id, record.state, record.enqueuedAt, record.finishedAt, record.reason
  row.key, row.order = M.keyFor(record.id, record.named), M.nextOrder()
  M.addRow(row)
  M.list(row)
  if not FINAL[row.state] then return end
  if row.state ~= "completed" and record.cause and record.cause ~= record.id then
    row.cause, row.failure = record.cause, isFailure(record.reason)
    M.addVictim(record.cause, row)
  end
  M.retain(row)
end

local function receiveJob(record)
  local row = {kind = "job", task = record.task, due = record.due, priority = record.priority, attempt = record.attempt, failures = record.failures,
    crashes = record.crashes, fence = record.fence, settled = record.settled, body = record.body, bytes = record.bytes, expiresAt = record.expiresAt,
    once = record.once, named = record.named or nil, gates = record.gates, keep = record.keep, after = record.after, unique = record.unique,
    reaped = record.reaped or nil, owner = record.owner, startedAt = record.startedAt}
  putRow(record, row)
  local counted = COUNTED[row.state]
  if counted then Q.counts[counted] = Q.counts[counted] + 1 end
  if row.state == "ready" then M.index(K.ready):push(-row.priority, M.readyMember(row)) end
  if row.state == "scheduled" then M.index(K.scheduled):push(row.due, M.scheduledMember(row)) end
  if row.state ~= "parked" then return end
  if not record.line then M.refuse("TASKQ_MOVE", "import: the job " .. row.id .. " is parked nowhere") end
  row.gate, row.park = record.line.gate, record.line.place
  M.enterGate(row)
end

local function receiveJoin(record)
  putRow(record, {kind = "join", named = record.named or nil, mode = record.mode, due = record.enqueuedAt, priority = 0, attempt = 0, failures = 0, crashes = 0, fence = 0,
    settled = 0, waits = 0})
end

-- Followers that are not here were removed: their ids are still told.
local function receiveEdge(record)
  if M.rowOf(record.target) then
    local prefix = struct.pack(">I2", #record.target) .. record.target
    M.lineAt(K.arriving, prefix):push(0, prefix .. M.six(record.position + 1) .. pack({record.source, record.on, record.member or false}))
    return
  end
  local source = record.on ~= "turn" and M.rowOf(record.source)
  if not source then return end
  source.deps = source.deps or {}
  local on = SHORT[record.on] or "m"
  for _, dependent in ipairs(source.deps) do if dependent[1] == record.target and dependent[2] == on then return end end
  insert(source.deps, {record.target, on})
end

local attempts = {}

local function receiveAttempt(record)
  local row = M.jobOf(record.id)
  if not row then return end
  if not attempts[row.key] then
    attempts[row.key] = {}
    for _, known in ipairs(M.storiesOf(row)) do attempts[row.key][known.fence] = true end
  end
  if attempts[row.key][record.fence] then return end
  attempts[row.key][record.fence] = true
  row.stories = (row.stories or 0) + 1
  M.later("HSET", K.stories, row.stories .. ":" .. row.key, pack({attempt = record.attempt, fence = record.fence, owner = record.owner,
    startedAt = record.startedAt, endedAt = record.endedAt, error = record.error}))
end

local lines = {}

local function receiveNote(record)
  local row = M.jobOf(record.id)
  if not row then return end
  local text = pack(record.note)
  if record.position == 0 then return M.later("HSET", K.stories, "p:" .. row.key, text) end
  local last = lines[row.key] or M.lastLine(row.key)
  lines[row.key] = math.max(last, record.position)
  M.later("HSET", K.stories, "n:" .. row.key, lines[row.key], "l" .. record.position .. ":" .. row.key, text)
end

local function receiveName(record)
  M.later("HSET", K.memory, "n:" .. record.id, pack(record.task, record.state, record["until"]))
  M.expire(record["until"], "n:" .. record.id)
end

local function receiveUnique(record)
  local known = M.uniqueOf(record.key)
  S.uniques[record.key] = {holder = record.holder, ["until"] = record["until"], replacement = record.waiting, state = record.state,
    text = known and known.text}
  if record["until"] then M.expire(record["until"], "u:" .. record.key) end
end

local function receiveHold(record)
  local gate = M.gateOf(record.gate, true)
  gate.tickets[record.ticket] = {ticket = record.ticket, owner = record.owner, max = 1, ttl = 0, fence = record.fence,
    expiresAt = record.expiresAt, due = 0, order = 0}
  M.expireHolds(gate)
end

local function receiveSchedule(record)
  M.later("HSET", K.schedules, record.name, pack({origin = record.origin, task = record.task, bytes = record.bytes, paused = record.paused,
    lastAt = record.lastAt, lastId = record.lastId}))
end

local function receiveControl(record)
  if not record.task then
    Q.paused = record.paused
    return
  end
  Q.x.paused, Q.x.revoked = Q.x.paused or {}, Q.x.revoked or {}
  if record.paused then Q.x.paused[record.task] = true end
  if record.revoked then Q.x.revoked[record.task] = {once = record.once, ["until"] = record["until"]} end
end

local function receiveValue(record)
  local number = type(record.value) == "number"
  M.later("HSET", K.values, record.key, pack(number, record.value, record.expiresAt))
  if record.expiresAt then M.expire(record.expiresAt, "v:" .. record.key) end
end

-- Kept apart until the queue opens: the same record may come again.
local function receiveStart(record)
  M.later("HSET", K.history, "s:" .. pack({record.key, record.time, record.holder, record.fence}), string.format("%.17g", record["until"]))
end

local function receiveStats(record)
  M.later("HSET", K.history, "m:" .. string.format("%d", record.minute) .. ":" .. record.task, record.bytes)
end

local lastEvent = nil

local function receiveFeed(record)
  local own = Q.x.feed
  if own and own.tag == record.tag and own.last == record.last and own.gone == record.gone and own["until"] == record["until"] then return end
  Q.x.feed = {tag = record.tag, last = record.last, gone = record.gone, ["until"] = record["until"]}
  M.later("DEL", K.feed)
  lastEvent = 0
end

-- They come in the order of their numbers, from wherever these begin: those that came before are there.
local function receiveEvent(record)
  if not lastEvent then
    local entry = call("XREVRANGE", K.feed, "+", "-", "COUNT", 1)[1]
    lastEvent = entry and tonumber(string.match(entry[1], "^%d+")) or 0
  end
  if record.number <= lastEvent then return end
  lastEvent = record.number
  M.later("XADD", K.feed, string.format("%d-1", record.number), "", pack({record.id, record.task, record.state, record.attempt, record.fence,
    record.time, record.startedAt or false, record.reason or false, record.error or false}))
end

M.SHORT, M.RECEIVE = SHORT, {start = receiveStart, stats = receiveStats, feed = receiveFeed, event = receiveEvent,
  job = receiveJob, join = receiveJoin, edge = receiveEdge, attempt = receiveAttempt, note = receiveNote, name = receiveName,
  unique = receiveUnique, hold = receiveHold, schedule = receiveSchedule, control = receiveControl, value = receiveValue}
`;
