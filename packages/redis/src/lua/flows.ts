/** Edges and joins: what waits for what, and when a member counts. */
export const flows: string = String.raw`
-- Why a final row is not completed: the job that did not complete by itself, what the followers are told, and whether
-- error handlers run because of it.
function M.brokenOf(row)
  if row.state == "completed" or not FINAL[row.state] then return nil end
  if row.cause then return {root = row.cause, reason = row.reason, failure = row.failure or false} end
  return {root = row.id, reason = row.state, failure = row.state == "failed" or row.state == "quarantined"}
end

-- "satisfied", "waiting", or why it never will be satisfied.
function M.verdictOf(source, on)
  if not FINAL[source.state] then return "waiting" end
  if on == "s" then return "satisfied" end
  local broken = M.brokenOf(source)
  if on == "c" then return broken or "satisfied" end
  if not broken then return {root = source.id, reason = "completed", failure = false} end
  return broken.failure and "satisfied" or broken
end

local function hasTarget(row, id)
  for _, dependent in ipairs(row.deps or {}) do if dependent[1] == id then return true end end
  return false
end

local function hasSource(row, id)
  for _, own in ipairs(M.sourceIds(row)) do if own == id then return true end end
  return false
end

-- Whether it was stored so much later; the clock may have been set back since.
local function isLater(own, row, much)
  if own.enqueuedAt < row.enqueuedAt then return own.order > row.order end
  return own.enqueuedAt > row.enqueuedAt + much
end

-- A day after a caller has given an id, it may be given again: then it is another row, which has nothing to do with those that knew the one before.
function M.sourceOf(row, id)
  local source = M.rowOrGone(id)
  local isOther = source.named and isLater(source, row, 0) and not hasTarget(source, row.id)
  return isOther and M.goneRow(id) or source
end

function M.targetOf(row, id)
  local target = M.rowOrGone(id)
  local isOther = target.named and isLater(target, row, M.REMEMBERED / 2) and not hasSource(target, row.id)
  return isOther and M.goneRow(id) or target
end

-- place: where the join keeps what a member added.
local function addDependent(source, target, on, member, place)
  source.deps = source.deps or {}
  insert(source.deps, {target.id, on, member, place})
end
M.addDependent = addDependent

-- So many edges stand in the row of a job; and all of error handlers, which are looked for there.
local IN_ROW = 16

function M.putEdge(row, id, on)
  row.edges = row.edges or {}
  if on == "f" or #row.edges < IN_ROW then insert(row.edges, {id, on}) else M.beside().put(row, {id, on}) end
end

function M.edgesOf(row)
  return row.more and M.beside().edgesOf(row) or row.edges or {}
end

-- Adds an edge to a job that is not linked yet, or is blocked.
function M.addEdge(row, source, on)
  M.putEdge(row, source.id, on)
  addDependent(source, row, on)
  if not FINAL[source.state] then row.waits = (row.waits or 0) + 1 end
end

function M.recountEdges(row)
  local waits = 0
  for _, edge in ipairs(M.edgesOf(row)) do
    if not FINAL[M.sourceOf(row, edge[1]).state] then waits = waits + 1 end
  end
  row.waits = waits
end

-- Why a job never becomes ready, if one of its edges cannot be satisfied.
function M.brokenEdge(row)
  for _, edge in ipairs(M.edgesOf(row)) do
    local verdict = M.verdictOf(M.sourceOf(row, edge[1]), edge[2])
    if type(verdict) == "table" then return verdict end
  end
end

function M.isErrorHandler(row)
  for _, edge in ipairs(row.edges or {}) do if edge[2] == "f" then return true end end
  return false
end

-- How a flow that a member added has ended: "b" if that breaks the group, "o" otherwise, false as long as it has not.
local function endOf(ending)
  return FINAL[ending.state] and (M.brokenOf(ending) and "b" or "o") or false
end

-- How a member stands with its join: "counts", "waiting", or why it breaks it.
function M.memberVerdict(join, member)
  local waits, broken = not FINAL[member.state], M.brokenOf(member)
  local own = join.more and M.beside().standingOf(join, member.id)
  if own then
    waits = waits or own.open > 0
    broken = broken or (own.broken and M.brokenOf(M.sourceOf(join, own.broken)))
  end
  if join.mode == "settled" then return waits and "waiting" or "counts" end
  return broken or (waits and "waiting" or "counts")
end

function M.addMember(join, member)
  addDependent(member, join, "m")
  if M.memberVerdict(join, member) == "waiting" then join.waits = (join.waits or 0) + 1 end
end

-- Makes a member count only when this flow is final too.
function M.extendMember(join, memberId, ending)
  addDependent(ending, join, "m", memberId, M.beside().putAdded(join, memberId, ending.id, endOf(ending)))
end

-- A flow that a member of this join added has ended.
function M.noteEnd(join, ending, place)
  M.beside().noteAdded(join, place, endOf(ending))
end

-- Whether a member that counts from now on was not counted before. One that added flows is told of with the end of each, and may end together
-- with them: the first of these says that it was counted.
function M.countsAnew(join, member)
  local own = join.more and M.beside().standingOf(join, member.id)
  if not own then return true end
  if own.counted then return false end
  own.counted = true
  M.beside().keepStanding(join, member.id, own)
  return true
end

local function membersOf(join)
  local ids = M.memberIds(join)
  M.readAhead(ids)
  local members = {}
  for place, id in ipairs(ids) do members[place] = M.sourceOf(join, id) end
  return members
end
M.membersOf = membersOf

function M.recountMembers(join)
  local waits, standings = 0, {}
  if join.more then standings = M.beside().noteAllAdded(join, function(id) return endOf(M.sourceOf(join, id)) end) end
  for _, member in ipairs(membersOf(join)) do
    if M.memberVerdict(join, member) == "waiting" then
      waits = waits + 1
      local own = standings[member.id]
      if own then
        own.counted = false
        M.beside().keepStanding(join, member.id, own)
      end
    end
  end
  join.waits = waits
end

-- Of members that completed, and whose added flows did not all, the job because of which the first of these did not.
function M.brokenEnds(join)
  local found = {}
  if not join.more then return found end
  M.beside().each(join, function(entry)
    -- A join that completed has noted all of them.
    if found[entry[1]] or join.state == "completed" and entry[3] ~= "b" then return end
    local broken = M.brokenOf(M.sourceOf(join, entry[2]))
    found[entry[1]] = broken and broken.root
  end)
  return found
end

function M.brokenMember(join)
  if (join.mode == "settled") then return nil end
  for _, member in ipairs(membersOf(join)) do
    local verdict = M.memberVerdict(join, member)
    if type(verdict) == "table" then return verdict end
  end
end

-- Ids of what a row waits for, or waited for.
function M.sourceIds(row)
  local ids = {}
  if row.kind == "job" then
    for place, edge in ipairs(M.edgesOf(row)) do ids[place] = edge[1] end
  elseif row.kind == "join" then
    for place, id in ipairs(M.memberIds(row)) do ids[place] = id end
    if row.more then M.beside().each(row, function(entry) ids[#ids + 1] = entry[2] end) end
  end
  return ids
end

function M.sourcesOf(row)
  local ids, found = M.sourceIds(row), {}
  if #ids > 8 then M.readAhead(ids) end
  for place, id in ipairs(ids) do found[place] = M.sourceOf(row, id) end
  return found
end

function M.targetsOf(row)
  local found = {}
  for place, dependent in ipairs(row.deps or {}) do found[place] = M.targetOf(row, dependent[1]) end
  return found
end

-- Unfinished ones of its flow before a failed join that are not running.
local function waitingBefore(join)
  local waiting, list, seen, open = {}, {}, {[join.id] = true}, M.sourcesOf(join)
  while #open > 0 do
    local row = open[#open]
    open[#open] = nil
    if not seen[row.id] and row.flow == join.flow and not row.removed then
      seen[row.id] = true
      if not FINAL[row.state] and row.state ~= "active" then
        waiting[row.id] = row
        list[#list + 1] = row
      end
      for _, source in ipairs(M.sourcesOf(row)) do open[#open + 1] = source end
    end
  end
  return waiting, list
end

local function isAwaited(dependent, target)
  return not FINAL[target.state] and dependent[2] ~= "f"
end

-- Those that lead nowhere else. Error handlers are not elsewhere: they run for failures of their own only.
function M.strandedBefore(join)
  local stranded, list = waitingBefore(join)
  local function leadsElsewhere(row)
    for _, dependent in ipairs(row.deps or {}) do
      local id = dependent[1]
      if id ~= join.id and not stranded[id] and isAwaited(dependent, M.targetOf(row, id)) then return true end
    end
    return false
  end
  local spared = {}
  for _, row in ipairs(list) do if leadsElsewhere(row) then spared[#spared + 1] = row end end
  while #spared > 0 do
    local row = spared[#spared]
    spared[#spared] = nil
    if stranded[row.id] then
      stranded[row.id] = nil
      for _, source in ipairs(M.sourcesOf(row)) do spared[#spared + 1] = source end
    end
  end
  local left = {}
  for _, row in ipairs(list) do if stranded[row.id] then left[#left + 1] = row end end
  return left
end

-- The failed join of its flow that is there, at any distance, to which a row leads.
-- passed: by id, rows from which none was found before; those from which none is found are added.
function M.failedGroupBehind(row, passed)
  local seen, open = {[row.id] = true}, {row}
  passed = passed or {}
  local at = 1
  while open[at] do
    local isPassed = passed[open[at].id]
    passed[open[at].id] = true
    for _, target in ipairs(isPassed and {} or M.targetsOf(open[at])) do
      if not target.removed and target.flow == row.flow and M.brokenOf(target) then
        if target.kind == "join" then return target end
        if not seen[target.id] then
          seen[target.id] = true
          open[#open + 1] = target
        end
      end
    end
    at = at + 1
  end
end

-- The failed join to which an unfinished row leads, if it leads nowhere else.
function M.failedGroupOf(row)
  if not row.deps then return nil end
  for _, dependent in ipairs(row.deps) do
    if isAwaited(dependent, M.targetOf(row, dependent[1])) then return nil end
  end
  return M.failedGroupBehind(row)
end

-- The same, of one that waits again: what it leads to may have been opened with it, and lead to that join alone. Of many that lead to the same,
-- known keeps what was found for that.
function M.failedGroupAhead(row, known)
  if known[row.id] ~= nil then return known[row.id] or nil end
  local found
  for _, dependent in ipairs(row.deps or {}) do
    -- What was looked at waits.
    local isKnown = known[dependent[1]] == false and dependent[2] ~= "f"
    local target = not isKnown and M.targetOf(row, dependent[1])
    if isKnown or isAwaited(dependent, target) then
      found = target and target.flow == row.flow and M.failedGroupAhead(target, known) or nil
      if not found then
        known[row.id] = false
        return nil
      end
    end
  end
  found = found or M.failedGroupBehind(row)
  known[row.id] = found or false
  return found
end
`;
