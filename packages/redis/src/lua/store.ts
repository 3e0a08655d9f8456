/** Storing flows: all of a call, or none. */
export const store: string = String.raw`
-- The name of a job that is gone, if it is remembered.
function M.tombstoneOf(id)
  local text = call("HGET", K.memory, "n:" .. id)
  if not text then return nil end
  local task, state, till = decode(text)
  if till > S.now then return {task = task, state = state, ["until"] = till} end
end

-- Flows that wait for the one before of their schedule, by the end of that one.
function M.awaitedBy(id)
  S.awaited = S.awaited or {}
  local known = S.awaited[id]
  if known == nil then
    local text = call("HGET", K.awaited, id)
    known = text and decode(text) or false
    S.awaited[id] = known
  end
  return known
end

function M.awaitEnd(id, schedule, jobs)
  if not M.awaitedBy(id) then Q.x.awaited = (Q.x.awaited or 0) + 1 end
  S.awaited[id] = {schedule, jobs}
  M.later("HSET", K.awaited, id, pack({schedule, jobs}))
end

function M.forgetAwaited(id)
  S.awaited[id] = false
  Q.x.awaited = Q.x.awaited - 1
  M.later("HDEL", K.awaited, id)
end

-- Empty: of a group.
local function taskUnder(id)
  local row = M.rowOf(id)
  if row then return row.task or "" end
  local tombstone = M.tombstoneOf(id)
  return tombstone and tombstone.task
end

local function whose(task)
  return task == "" and "a group" or 'a job of task "' .. task .. '"'
end

-- The other task whose the id of this row is, if it is not its own.
local function ownerOfName(row, names)
  local task = row.task or ""
  local known = names[row.id] or taskUnder(row.id)
  if known and known ~= task then return known end
  names[row.id] = task
end

local function checkName(row, names)
  local known, task = ownerOfName(row, names), row.task or ""
  if known then
    M.refuse("TASKQ_ID_TAKEN", 'the id "' .. row.id .. '" belongs to ' .. whose(known) .. ", not " .. (task == "" and "a group" or '"' .. task .. '"'))
  end
end

-- Whether one of these flows was given the id of another task's job.
function M.hasTakenId(flows)
  local names = {}
  for _, flow in ipairs(flows) do
    for _, list in ipairs({flow.jobs, flow.joins}) do
      for _, row in ipairs(list) do
        if row.named and ownerOfName(row, names) then return true end
      end
    end
  end
  return false
end

-- An id that differs from one that is there in its random part only.
local function collisionOf(flow, made)
  for _, list in ipairs({flow.jobs, flow.joins}) do
    for _, one in ipairs(list) do
      local place = not one.named and M.placeOf(one.id)
      if place then
        local row = M.rowAt(place)
        local taken = row and not row.named and row.id or made[place]
        if taken and taken ~= one.id then return one.id end
        made[place] = one.id
      end
    end
  end
end

local knownFlow = nil

-- Throws if the flow waits for what is neither there nor among what is stored with it. One that is there already may have outlived it.
function M.checkSources(flow, given)
  for _, job in ipairs(flow.jobs) do given[job.id] = true end
  for _, join in ipairs(flow.joins) do given[join.id] = true end
  local function check(id)
    if not given[id] and not M.rowOf(id) and not knownFlow(flow) then M.refuse("TASKQ_STORAGE", "a flow waits for " .. id .. ", which is not known") end
  end
  for _, job in ipairs(flow.jobs) do
    for _, edge in ipairs(job.after or {}) do check(edge[1]) end
  end
  for _, join in ipairs(flow.joins) do
    for _, id in ipairs(join.members) do check(id) end
  end
end

-- Finds whatever speaks against storing these flows, before anything is changed.
function M.checkFlows(flows)
  local names, made, given = {}, {}, {}
  for _, flow in ipairs(flows) do
    if #flow.jobs + #flow.joins > 8 then
      local ids = {}
      for _, job in ipairs(flow.jobs) do ids[#ids + 1] = job.id end
      M.readAhead(ids)
    end
    for _, job in ipairs(flow.jobs) do if job.named then checkName(job, names) end end
    for _, join in ipairs(flow.joins) do if join.named then checkName(join, names) end end
    M.checkSources(flow, given)
    local collision = collisionOf(flow, made)
    if collision then return collision end
  end
end

-- The answer for a flow that is there already, by an id of the caller's or because the call is a repeat.
knownFlow = function(flow)
  local there, tombstone = false, nil
  for _, job in ipairs(flow.jobs) do
    if M.rowOf(job.id) then there = true end
    if job.id == flow["end"] and job.named then tombstone = M.tombstoneOf(job.id) end
  end
  for _, join in ipairs(flow.joins) do
    if M.rowOf(join.id) then there = true end
    if join.id == flow["end"] and join.named then tombstone = M.tombstoneOf(join.id) end
  end
  if not there and not tombstone then return nil end
  local row = M.rowOf(flow["end"])
  return {status = "existing", id = flow["end"], state = row and row.state or tombstone and tombstone.state or "completed"}
end

local function isWaiting(row)
  return row.state ~= "active" and not FINAL[row.state]
end

-- Ends a holder that will not run any more, so that its key is free: the new job would be lost with it. A key until an
-- instant outlives its job, however that ended.
local function endsExpired(entry, row)
  return row and type(entry["until"]) ~= "number" and isWaiting(row) and M.endIfExpired(row)
end

-- The holder of a key for which the flow is not stored. One with a group is: who needs the key there waits for it, and takes no others along.
local function ignoredFor(flow)
  if #flow.joins > 0 then return nil end
  for _, job in ipairs(flow.jobs) do
    if job.unique and job.unique.onConflict == "ignore" and not (job.after and #job.after > 0) then
      local entry = M.holderOf(job.unique.key)
      while entry and endsExpired(entry, M.rowOf(entry.holder)) do entry = M.holderOf(job.unique.key) end
      if entry then
        local row = M.rowOf(entry.holder)
        return {status = "existing", id = entry.holder, state = row and row.state or entry.state or "completed"}
      end
    end
  end
end

function M.keyFor(id, named)
  local place = not named and M.placeOf(id)
  if not place or M.rowAt(place) then return "!" .. id end
  return place
end

local function addJob(job, flow)
  local own = job.unique
  local row = {kind = "job", id = job.id, key = M.keyFor(job.id, job.named), state = "blocked", order = M.nextOrder(), task = job.task,
    enqueuedAt = S.now, due = job.due, priority = job.priority, attempt = 0, failures = 0, crashes = 0, fence = 0, settled = 0,
    body = job.body, expiresAt = job.expiresAt, once = job.once, named = job.named, gates = job.gates, keep = job.keep, flow = flow}
  if own then row.unique = {key = own.key, ["until"] = own["until"]} end
  if job.after then
    local ids = {}
    for place, edge in ipairs(job.after) do ids[place] = edge[1] end
    row.after = ids
  end
  M.addRow(row)
  Q.counts[1] = Q.counts[1] + 1
  M.list(row)
  return row
end

-- Joins may be members of joins, in any order: those whose members are all there come first.
local function addJoins(joins, flow)
  local rows, left = {}, joins
  while #left > 0 do
    local rest = {}
    for _, join in ipairs(left) do
      local members = {}
      for place, id in ipairs(join.members) do members[place] = M.rowOf(id) or nil end
      if #members < #join.members then rest[#rest + 1] = join
      else
        local row = {kind = "join", id = join.id, key = M.keyFor(join.id, join.named), named = join.named, state = "blocked", order = M.nextOrder(), mode = join.mode,
          enqueuedAt = S.now, due = S.now, priority = 0, attempt = 0, failures = 0, crashes = 0, fence = 0, settled = 0, flow = flow, waits = 0}
        M.addRow(row)
        S.members[row.key] = join.members
        M.later("HSET", K.members, row.key, pack(join.members))
        M.list(row)
        for _, member in ipairs(members) do M.addMember(row, member) end
        rows[#rows + 1] = row
      end
    end
    if #rest == #left then break end
    left = rest
  end
  return rows
end

-- One that would not have run any more ends as it would have by itself.
local function replace(row)
  if not M.endIfExpired(row) then M.finishUnasked(row, "cancelled", "replaced") end
end

-- A job that replaces takes the key of a waiting holder at once. Behind one that runs, it takes the place of the job that
-- waited there before, and false is answered. Jobs of one flow do not replace each other.
local function takesOver(row, replaces, siblings)
  if not replaces then return true end
  local key = row.unique.key
  local entry = M.holderOf(key)
  if not entry then return true end
  if siblings[entry.holder] or (entry.replacement and siblings[entry.replacement]) then return true end
  local holder = M.rowOf(entry.holder)
  if holder and isWaiting(holder) then
    M.take(key, row)
    replace(holder)
    return true
  end
  M.park(row, "unique:" .. key)
  local replacement = entry.replacement and M.rowOf(entry.replacement)
  entry.replacement = row.id
  if replacement and not FINAL[replacement.state] then replace(replacement) end
  return false
end

-- Stores a flow that was checked, unless a unique key that it ignores conflicts for is taken. options: the gate under which
-- its first jobs are parked, the flow that it becomes part of, and what stands for the ends of flows before it in the call.
function M.storeFlow(flow, options)
  local known = ignoredFor(flow)
  if known then return {stored = known, jobs = {}} end
  local only = #flow.jobs == 1 and #flow.joins == 0 and flow.jobs[1]
  local number = options.part
  -- A job that is alone is in no flow.
  if not number and not (only and not (only.after and #only.after > 0)) then number = M.nextOrder() end
  local jobs, siblings, replaces = {}, {}, {}
  for place, job in ipairs(flow.jobs) do
    jobs[place] = addJob(job, number)
    siblings[job.id] = true
    replaces[job.id] = job.unique ~= nil and job.unique.onConflict == "replace"
  end
  local joins = addJoins(flow.joins, number)
  for place, row in ipairs(jobs) do
    for _, edge in ipairs(flow.jobs[place].after or {}) do
      local source = M.rowOf(edge[1])
      if not source and options.ends[edge[1]] then source = M.rowOf(options.ends[edge[1]]) end
      if source then
        M.addEdge(row, source, edge[2])
      end
    end
  end
  local first = nil
  for _, row in ipairs(jobs) do
    if not row.edges then
      first = first or row
      -- What a sibling replaced may have broken a group, and this one with it.
      if row.state == "blocked" then
        if options.gate then M.park(row, options.gate)
        elseif takesOver(row, replaces[row.id], siblings) and row.state == "blocked" then M.enter(row) end
      end
    end
  end
  for _, join in ipairs(joins) do M.reconsiderJoin(join, M.brokenMember(join)) end
  for _, row in ipairs(jobs) do if row.edges then M.reconsider(row, M.brokenEdge(row)) end end
  first = first or jobs[1] or joins[1]
  return {stored = {status = "stored", id = flow["end"], state = first and first.state or "completed"}, jobs = jobs}
end

-- Stores flows that are checked, one after the other.
function M.storeFlows(flows, options)
  options = options or {}
  options.ends = {}
  local stored = {}
  for place, flow in ipairs(flows) do
    local known = knownFlow(flow)
    local rows = known and {stored = known, jobs = {}} or M.storeFlow(flow, options)
    options.ends[flow["end"]] = rows.stored.id
    stored[place] = rows
  end
  return stored
end

function M.answersOf(stored)
  local answers = {}
  for place, rows in ipairs(stored) do answers[place] = rows.stored end
  return answers
end
`;
