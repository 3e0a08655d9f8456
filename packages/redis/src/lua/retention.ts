/** How long final rows are kept, and what is kept beside them. */
export const retention: string = String.raw`
-- What was broken because of a row; kept to be mended by a retry or a restore.
local lines = {}

local function victimsOf(root)
  local line = lines[root]
  if not line then
    line = M.lineAt(K.victims, struct.pack(">I2", #root) .. root)
    lines[root] = line
  end
  return line
end

function M.addVictim(root, row)
  local line = victimsOf(root)
  if root ~= row.id then line:push(0, line.prefix .. row.id) end
end

function M.removeVictim(row)
  local line = row.cause and victimsOf(row.cause)
  if line then line:remove(line.prefix .. row.id) end
end

function M.victims(row)
  -- What ended because of another one is no cause itself, nor is what nothing waits for.
  if not row.deps or (row.cause and row.cause ~= row.id) then return {} end
  local line, ids = victimsOf(row.id), {}
  for place, member in ipairs(line:all()) do ids[place] = sub(member, #line.prefix + 1) end
  return ids
end

function M.forgetVictims(row)
  local line = victimsOf(row.id)
  for _, member in ipairs(line:all()) do line:remove(member) end
end

local function isReadThrough(row)
  return row.kind == "join" or row.state == "skipped"
end

-- Whether something unfinished depends on it: what follows it, or reads it through joins and skipped jobs.
function M.isNeeded(row)
  local open, seen = {row}, {[row.id] = true}
  while #open > 0 do
    local one = open[#open]
    open[#open] = nil
    for _, id in ipairs(one.readers or {}) do
      local reader = M.rowOf(id)
      if reader and not FINAL[reader.state] then return true end
    end
    for _, target in ipairs(M.targetsOf(one)) do
      if not FINAL[target.state] then return true end
      if isReadThrough(target) and not seen[target.id] then
        seen[target.id] = true
        open[#open + 1] = target
      end
    end
  end
  return false
end

-- Whether it is read as a part of a group that is kept: one that nothing is given to, so that whoever waits for it is told
-- what its members yielded.
function M.isOfKeptGroup(row)
  local open, seen = {row}, {[row.id] = true}
  while #open > 0 do
    local one = open[#open]
    open[#open] = nil
    for _, group in ipairs(M.targetsOf(one)) do
      if group.kind == "join" and group.state == "completed" and not group.removed and not seen[group.id] then
        local isEnd = true
        for _, dependent in ipairs(group.deps or {}) do isEnd = isEnd and dependent[2] == "f" end
        if isEnd then return true end
        seen[group.id] = true
        open[#open + 1] = group
      end
    end
  end
  return false
end

local function retainedIn(row)
  if row.kept then return K.kept end
  return row.state == "completed" and K.done or K.gone
end

local function bareMember(row)
  return M.six(row.order) .. row.key
end

-- Makes an entry of each row of one that stands for many; whether it was such.
function M.openEntry(index, member, at)
  local entries = M.entriesOf(member)
  if not entries then return false end
  index:remove(member)
  for _, entry in ipairs(entries) do index:push(at, entry) end
  return true
end

-- A completed row stands for itself from now on. Entries of many come before keys among those of the same instant.
local function standAlone(row)
  local done = M.index(K.done)
  if byte(row.key) == 33 or done:has(row.key) or done:has(bareMember(row)) then return end
  local at, from = string.format("%.17g", row.finishedAt), 0
  while true do
    local members = call("ZRANGEBYSCORE", K.done, at, at, "LIMIT", from, 64)
    for _, member in ipairs(members) do
      -- An empty one is nobody's: somebody has written it.
      if (byte(member) or 0) > 1 then return end
      if byte(member) == 1 and not done.gone[member] and find(member, bareMember(row), 2, true) then
        M.openEntry(done, member, row.finishedAt)
        return
      end
    end
    if #members < 64 then return end
    from = from + 64
  end
end

-- Whatever is written otherwise may have something beside it.
function M.retainAnew(row)
  if row.state ~= "completed" or row.kept or row.withheld or byte(row.key) == 33 then return end
  local done = M.index(K.done)
  standAlone(row)
  done:remove(bareMember(row))
  done:push(row.finishedAt, row.key)
end

-- Final jobs of tasks that keep no more than so many, in the order they ended.
local function capOf(row)
  local completed = row.state == "completed"
  local max = row.kind == "job" and row.keep and (completed and row.keep.completedMax or not completed and row.keep.failedMax) or nil
  if not max then return nil end
  local name = (completed and "c" or "o") .. row.task
  return M.lineAt(K.caps, struct.pack(">I2", #name) .. name), name, max
end

local function capMember(line, row)
  return line.prefix .. M.six(row.finishedAt) .. row.key
end

-- Final jobs with a retention of their own, in the order they ended. Names of tasks that keep so many are longer.
function M.keptLine(completed)
  return M.lineAt(K.caps, completed and "\0\1c" or "\0\1o")
end

-- Begins the retention of a row that has become final.
function M.retain(row)
  local line, name, max = capOf(row)
  if line then
    line:push(0, capMember(line, row))
    S.capMax = S.capMax or {}
    S.capMax[name] = max
    M.later("HSET", K.capMax, name, string.format("%.17g", max))
  end
  local own = nil
  if row.keep then own = row.state == "completed" and row.keep.completed or nil end
  if row.keep and row.state ~= "completed" then own = row.keep.failed end
  if own then
    row.kept = row.finishedAt + own
    M.index(K.kept):push(row.kept, row.key)
    local ended = M.keptLine(row.state == "completed")
    ended:push(0, capMember(ended, row))
  else M.index(retainedIn(row)):push(row.finishedAt, row.key) end
end

-- Counts a row that is put aside, or is so no more: jobs also by what the queue keeps so many of.
local function setAside(row, by)
  local x, own = Q.x, row.state == "completed" and "doneAside" or "goneAside"
  row.withheld = by > 0 or nil
  x.withheld = (x.withheld or 0) + by
  -- Of those from before this was counted nothing is known.
  if row.kind == "job" then x[own] = math.max(0, (x[own] or 0) + by) end
end

-- Ends the retention of a row that is removed, or final no more.
function M.forget(row)
  if row.withheld then return setAside(row, -1) end
  local line = capOf(row)
  if line then line:remove(capMember(line, row)) end
  local index = M.index(retainedIn(row))
  if row.state == "completed" and not row.kept then standAlone(row) end
  index:remove(row.key)
  if row.kept then
    local ended = M.keptLine(row.state == "completed")
    ended:remove(capMember(ended, row))
  end
  if row.state == "completed" and not row.kept and byte(row.key) ~= 33 then index:remove(bareMember(row)) end
  row.kept = nil
end

-- Puts a row aside whose retention has passed, until what depends on it is final.
function M.withhold(row)
  M.forget(row)
  setAside(row, 1)
end

local function release(row)
  if not row.withheld then return end
  setAside(row, -1)
  S.released = true
  M.retain(row)
end

-- Lets go of what was put aside for a row that is final now; what is still needed is put aside again.
local function releaseWithheld(row)
  if (Q.x.withheld or 0) == 0 or (isReadThrough(row) and M.isNeeded(row)) then return end
  local open, seen = {row}, {[row.id] = true}
  while #open > 0 do
    local one = open[#open]
    open[#open] = nil
    local sources = M.sourcesOf(one)
    for _, edge in ipairs(one.kind == "job" and one.edges or {}) do
      local broken = edge[2] == "f" and M.brokenOf(M.sourceOf(one, edge[1]))
      if broken then sources[#sources + 1] = M.rowOrGone(broken.root) end
    end
    for _, source in ipairs(sources) do
      if not seen[source.id] and not source.removed then
        seen[source.id] = true
        release(source)
        if isReadThrough(source) then open[#open + 1] = source end
      end
    end
  end
end
M.releaseWithheld = releaseWithheld
`;
