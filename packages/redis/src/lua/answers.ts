/** Jobs as they are told to callers. */
export const answers: string = String.raw`
local CARRIED = 65536
local CONDITIONS = {c = "completed", f = "failed", s = "settled"}
M.CONDITIONS = CONDITIONS

-- The job because of which another one did not complete; nil for the job itself.
function M.causeOf(row)
  if row.cause ~= row.id and FINAL[row.state] then return row.cause end
end

-- An error handler reads the job that failed, not the end that was skipped because of it.
local function readFrom(row, edge)
  local source = M.sourceOf(row, edge[1])
  local broken = edge[2] == "f" and M.brokenOf(source)
  local root = broken and M.rowOf(broken.root)
  return root or source
end

-- A member that is there stands for itself, unless a flow that it added did not complete: then for the job because of which.
local function standIns(join)
  local found, broken = {}, M.brokenEnds(join)
  for _, member in ipairs(M.membersOf(join)) do
    if not member.removed then
      local root = broken[member.id] and not M.brokenOf(member) and M.rowOf(broken[member.id])
      found[#found + 1] = root or member
    end
  end
  return found
end

-- known: of each join, once it was looked for.
local function standInsOf(join, known)
  local found = known[join.id]
  if not found then
    found = standIns(join)
    known[join.id] = found
  end
  return found
end

local function sizeOf(row, known)
  if row.kind == "job" then return M.sizeOfBytes(row) end
  local sum = 0
  for _, member in ipairs(standInsOf(row, known)) do sum = sum + sizeOf(member, known) end
  return sum
end

-- Flat, since joins may nest deeper than can be packed: each join is followed by its members.
local function tellSource(row, carried, list, known)
  if row.kind == "job" then
    list[#list + 1] = {id = row.id, task = row.task, fence = row.fence, state = row.state, attempt = row.attempt,
      bytes = carried and M.bytesOf(row) or nil, left = (not carried and row.bytes ~= nil) or nil, reason = row.reason, cause = M.causeOf(row)}
    return
  end
  local members = standInsOf(row, known)
  list[#list + 1] = {id = row.id, mode = row.mode, state = row.state, reason = row.reason, cause = row.cause, members = #members}
  for _, member in ipairs(members) do tellSource(member, carried, list, known) end
end

function M.sourcesFor(row)
  if not row.edges or #row.edges == 0 then return nil end
  local rows, size, known = {}, 0, {}
  S.ahead = {}
  if row.more then M.readAhead(M.sourceIds(row)) end
  for _, edge in ipairs(M.edgesOf(row)) do
    local source = readFrom(row, edge)
    if not source.removed then
      rows[#rows + 1] = source
      size = size + sizeOf(source, known)
    end
  end
  local list = {}
  for _, source in ipairs(rows) do tellSource(source, size <= CARRIED, list, known) end
  -- Members of a group may be many, and are changed by nobody here.
  M.unread(S.ahead)
  S.ahead = nil
  return list
end

local function guardsOf(row)
  if not row.gates and not row.unique and not row.after then return nil end
  local keys = {}
  for place, own in ipairs(row.gates or {}) do keys[place] = own.key end
  return {gates = keys, unique = row.unique and row.unique.key, after = row.after or {}}
end

-- Whether more than its row is looked at when its run has ended.
local function hangs(row)
  return ((row.unique and row.unique["until"] ~= "final") or row.keep or row.after or row.edges or row.deps or row.flow) and true or nil
end

-- What the owner of an active job is handed.
function M.claimedJob(row)
  local run = row.run
  return {id = row.id, task = row.task, fence = run.fence, attempt = row.attempt, failures = row.failures, crashes = row.crashes,
    priority = row.priority, enqueuedAt = row.enqueuedAt, due = row.due, expiresAt = row.expiresAt, once = row.once, body = M.bodyOf(row),
    begun = run.begun, leaseUntil = M.index(K.active):score(row.key), verdict = run.verdict,
    sources = M.sourcesFor(row), guards = guardsOf(row), hangs = hangs(row)}
end

local function storiesOf(row)
  local attempts = {}
  for place = 1, M.storyCount(row) do
    local text = call("HGET", K.stories, place .. ":" .. row.key)
    if text then attempts[#attempts + 1] = decode(text) end
  end
  return attempts
end
M.storiesOf = storiesOf

function M.progressOf(row)
  local text = call("HGET", K.stories, "p:" .. row.key)
  return text and decode(text) or nil
end

function M.jobRecord(row, whole)
  local record = {kind = "job", id = row.id, task = row.task, state = row.state, priority = row.priority, enqueuedAt = row.enqueuedAt,
    due = row.due, expiresAt = row.expiresAt, attempt = row.attempt, failures = row.failures, crashes = row.crashes, fence = row.fence,
    owner = row.owner, startedAt = row.startedAt, finishedAt = row.finishedAt, bytes = M.bytesOf(row), reason = row.reason,
    cause = M.causeOf(row), gate = row.gate and M.labelOf(row.gate) or nil}
  if whole then
    local after, seen = {}, {}
    for _, dependent in ipairs(row.deps or {}) do
      if not seen[dependent[1]] then
        seen[dependent[1]] = true
        after[#after + 1] = dependent[1]
      end
    end
    record.detail = {body = M.bodyOf(row), attempts = storiesOf(row), progress = row.fence > 0 and M.progressOf(row) or nil,
      before = M.sourceIds(row), after = after}
  end
  return record
end

function M.recordOf(row, whole)
  if row.kind == "job" then return M.jobRecord(row, whole) end
  return {kind = "join", id = row.id, mode = row.mode, state = row.state, members = M.memberIds(row), reason = row.reason,
    cause = row.cause, enqueuedAt = row.enqueuedAt, finishedAt = row.finishedAt}
end
`;
