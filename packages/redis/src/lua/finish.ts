/** The move that ends jobs, and all that follows from it. */
export const finish: string = String.raw`
local GROUP_FAILED = "group failed"
-- Rows that one script ends because of others; what is left is written down, and is done before anything else.
local AT_ONCE = S.request.atOnce or 500
-- Rows that it looks at meanwhile, most of which have ended by then.
local LOOKED_AT_ONCE = AT_ONCE * 2
-- Members of a failed join that it looks at together; and rows that lead to one of them, if it is looked at alone.
local MEMBERS, BEFORE_MEMBER = 50, 50

-- What is still to be told: of those that have ended, and of the first of them the place of the next that waits for it. Before that come
-- those that are ended together: of a failed join, or by a user.
local ended, nextPlace, stranded, written, looked = M.idsOf(), 1, {}, 0, 0
-- Keys that they give back, each with who had it.
local freed = M.idsOf()

-- The run ends, and gives back its gates; the job is to be given another state.
function M.endRun(row)
  if not row.run then return end
  if row.run.revoked then
    Q.x.flagged = Q.x.flagged - 1
    M.later("HDEL", K.flagged, row.key)
  end
  row.run = nil
  M.index(K.active):remove(row.key)
  M.freeGates(row)
end

local function conclude(row, state, bytes, reason, broken)
  if FINAL[row.state] then return end
  M.withdraw(row)
  M.endRun(row)
  M.setState(row, state)
  row.finishedAt, row.bytes, row.reason = S.now, bytes, reason
  row.cause, row.failure = nil, nil
  if broken then
    row.cause, row.failure = broken.root, broken.failure
    row.reason = broken.reason
    M.addVictim(broken.root, row)
  end
  M.tellFeed(row)
  local key = M.freedOnFinal(row)
  if key then insert(freed.added, {key, row.id}) end
  M.releaseWithheld(row)
  M.retain(row)
  insert(S.final, row.id)
  insert(ended.added, row.id)
  written = written + 1
end

local function concludeJoin(join, broken)
  if FINAL[join.state] then return end
  if not broken then join.state = "completed"
  else
    join.state = broken.failure and "failed" or "skipped"
    join.reason, join.cause, join.failure = broken.reason, broken.root, broken.failure
    M.addVictim(broken.root, join)
  end
  join.finishedAt = S.now
  M.releaseWithheld(join)
  M.retain(join)
  insert(S.final, join.id)
  insert(ended.added, join.id)
  written = written + 1
end

local function skip(row, broken)
  M.report(row, "skipped", broken.reason, broken.root)
  conclude(row, "skipped", nil, broken.reason, broken)
end

-- Keeps the jobs that an error handler reads without an edge to them.
function M.readRoots(row)
  for _, edge in ipairs(row.edges or {}) do
    local broken = edge[2] == "f" and M.brokenOf(M.sourceOf(row, edge[1]))
    local root = broken and M.rowOf(broken.root)
    if root then
      root.readers = root.readers or {}
      insert(root.readers, row.id)
    end
  end
end

-- A job whose edges are satisfied takes its unique key and waits for its turn, or for the key.
function M.enter(row)
  local has = row.edges and #row.edges > 0
  if has then
    M.readRoots(row)
    if row.due < S.now then row.due = S.now end
  end
  if not M.takeOrPark(row) then return end
  M.enterLine(row)
  if has and row.state == "ready" then M.report(row, "readied") end
end

-- A join fails with its first member that does not complete, and with it all that has not started for it.
local function breakJoin(join, broken)
  concludeJoin(join, broken)
  insert(stranded, {join = join.id, offset = 0, place = join.more and 1, root = broken.root})
end

-- Whether it is enough for one script.
local function isEnough()
  return S.bounded and (written >= AT_ONCE or looked >= LOOKED_AT_ONCE)
end

local function isOnlyMember(row, join)
  if row.kind ~= "job" or row.edges then return false end
  for _, dependent in ipairs(row.deps or {}) do if dependent[1] ~= join.id then return false end end
  return true
end

local function waits(row)
  return not FINAL[row.state] and row.state ~= "active"
end

-- A member and what comes before it, where that leads to it alone; nil: it hangs together with more, or with much.
local function aloneBefore(join, member)
  local list, seen, open = {}, {[join.id] = true}, {member}
  while #open > 0 do
    local row = table.remove(open)
    if not seen[row.id] and row.flow == join.flow and not row.removed then
      if #list + #M.sourceIds(row) > BEFORE_MEMBER then return nil end
      seen[row.id] = true
      list[#list + 1] = row
      for _, source in ipairs(M.sourcesOf(row)) do open[#open + 1] = source end
    end
  end
  for _, row in ipairs(list) do
    for _, dependent in ipairs(waits(row) and row.deps or {}) do
      local target = not seen[dependent[1]] and M.targetOf(row, dependent[1])
      -- An error handler that nothing waits for is no way elsewhere.
      if target and not FINAL[target.state] and (dependent[2] ~= "f" or target.deps) then return nil end
    end
  end
  return list
end

-- The next ids of a packed list behind an offset, and the offset behind them; -1 at its end.
local function nextIds(text, offset, count)
  if offset == 0 then
    local mark = byte(text)
    offset = mark == 220 and 3 or mark == 221 and 5 or 1
  end
  if offset >= #text then return {}, -1 end
  local ids = {decodeFrom(text, count, offset)}
  return ids, table.remove(ids, 1)
end

local function isHandled(row)
  for _, dependent in ipairs(row.deps or {}) do if dependent[2] == "f" then return true end end
  return false
end

local function skipOne(row, broken)
  if row.kind == "job" then skip(row, broken) else concludeJoin(row, broken) end
end

-- Those of these ids that belong to the flow are let go, each with what leads to it alone.
local function skipLeading(item, join, ids, broken)
  M.readAhead(ids)
  for _, id in ipairs(ids) do
    local row = M.rowOf(id)
    if row and row.flow == join.flow then
      local alone = isOnlyMember(row, join) and {row} or aloneBefore(join, row)
      if not alone then item.whole = true end
      for _, one in ipairs(alone or {}) do
        looked = looked + 1
        if waits(one) then
          skipOne(one, broken)
          -- Whatever else waits for it has ended with it, or is the join.
          if not isHandled(one) then table.remove(ended.added) end
        end
      end
    end
  end
end

-- Members, and what they have added, are let go as they come; what hangs together with others is looked at as a whole.
local function skipMembers(item, broken)
  local join = M.rowOf(item.join)
  -- One that this call has stored is not written yet.
  local own = join and S.members[join.key]
  local text = own and pack(own) or join and call("HGET", K.members, join.key)
  local function fitting() return math.max(1, math.min(MEMBERS, AT_ONCE - written)) end
  while text and item.offset >= 0 do
    if isEnough() then return false end
    local fine, ids, offset = pcall(nextIds, text, item.offset, fitting())
    -- What somebody has written there names none.
    if not fine or type(ids[1]) ~= "string" then ids, offset = {}, -1 end
    item.offset = offset
    skipLeading(item, join, ids, broken)
  end
  while join and item.place do
    if isEnough() then return false end
    local ids
    ids, item.place = M.beside().endsFrom(join, item.place, fitting())
    skipLeading(item, join, ids, broken)
  end
  item.join, item.ids = nil, M.idsOf()
  for _, row in ipairs(item.whole and M.strandedBefore(join) or {}) do insert(item.ids.added, row.id) end
  return true
end

local function skipStranded()
  while #stranded > 0 do
    local item = stranded[1]
    local broken = {root = item.root, reason = GROUP_FAILED, failure = false}
    if item.join and not skipMembers(item, broken) then return false end
    local ids = item.ids
    while M.firstOf(ids) do
      if isEnough() then return false end
      local row = M.rowOf(M.firstOf(ids))
      ids.from = ids.from + 1
      looked = looked + 1
      if row and item.state then conclude(row, item.state, nil, item.reason)
      elseif row then skipOne(row, broken) end
    end
    table.remove(stranded, 1)
  end
  return true
end

local function countMember(join, member)
  local verdict = M.memberVerdict(join, member)
  if verdict == "waiting" then return end
  if type(verdict) == "table" then return breakJoin(join, verdict) end
  if M.countsAnew(join, member) then join.waits = join.waits - 1 end
  if join.waits == 0 then concludeJoin(join, nil) end
end

local function tell(source, dependent)
  local target = M.rowOf(dependent[1])
  if not target or target.isLost then return M.lose(M.likelyKeyOf(dependent[1]), "blocked", source.order, source.flow, dependent[1]) end
  if target.state ~= "blocked" or M.targetOf(source, target.id) ~= target then return end
  if dependent[2] == "m" then
    if not dependent[3] then return countMember(target, source) end
    M.noteEnd(target, source, dependent[4])
    return countMember(target, M.rowOrGone(dependent[3]))
  end
  local verdict = M.verdictOf(source, dependent[2])
  if type(verdict) == "table" then return skip(target, verdict) end
  target.waits = target.waits - 1
  if target.waits == 0 then
    M.enter(target)
    written = written + 1
  end
end

-- The flow of a schedule that waited for the one before.
local function letAwaitingGo(id)
  if (Q.x.awaited or 0) == 0 then return end
  local text = M.awaitedBy(id)
  if not text then return end
  M.forgetAwaited(id)
  local gate = "schedule:" .. text[1]
  for _, job in ipairs(text[2]) do
    local row = M.jobOf(job)
    if row and row.gate == gate then
      M.withdraw(row)
      M.enter(row)
      if row.state == "ready" then M.report(row, "readied", nil, nil, gate) end
    end
  end
end

-- Not before all have ended that end together, since what has not completed takes others along: a key goes to none of those.
local function freeKeys()
  while M.firstOf(freed) do
    if isEnough() then return false end
    local item = M.firstOf(freed)
    freed.from, looked = freed.from + 1, looked + 1
    M.freeKey(item[1], item[2])
  end
  return true
end

-- Goes through what waited for rows that have ended, and for those that end by it; stops when it was enough for one script.
function M.follow()
  if not skipStranded() then return M.postpone() end
  while M.firstOf(ended) do
    local id = M.firstOf(ended)
    local source = M.rowOrGone(id)
    if source.state == "completed" and not freeKeys() then return M.postpone() end
    if S.bounded and looked >= LOOKED_AT_ONCE then return M.postpone() end
    looked = looked + 1
    local deps = source.deps or {}
    while deps[nextPlace] do
      if isEnough() then return M.postpone() end
      local dependent = deps[nextPlace]
      nextPlace = nextPlace + 1
      tell(source, dependent)
      if not skipStranded() then return M.postpone() end
    end
    letAwaitingGo(id)
    ended.from, nextPlace = ended.from + 1, 1
  end
  if not freeKeys() then return M.postpone() end
end

-- It stays in the lists: the script may add to them before it ends.
function M.postpone()
  Q.later, S.postponed = true, true
end

-- Goes on where an earlier call has stopped.
function M.resume()
  local left = M.leftBefore().read()
  Q.later = false
  if not left then return M.later("DEL", K.later) end
  for _, item in ipairs(left.stranded) do item.ids = item.ids and M.idsOf(item.ids) end
  ended, nextPlace, stranded, freed, written, looked = M.idsOf(left.ended), left.place, left.stranded, M.idsOf(left.freed), 0, 0
  S.bounded = true
  M.follow()
  if not Q.later then M.later("DEL", K.later) end
end

-- What is postponed is written down.
function M.keepLeft()
  local kept = M.leftBefore()
  kept.write(function()
    for _, item in ipairs(stranded) do item.ids = item.ids and kept.keep(item.ids) end
    return {ended = kept.keep(ended), place = nextPlace, stranded = stranded, freed = kept.keep(freed)}
  end)
end

-- Ends several jobs alike: all of them first, then what follows.
function M.finishAll(rows, state, bytes, reason, broken)
  for _, row in ipairs(rows) do conclude(row, state, bytes, reason, broken) end
  M.follow()
end

-- Likewise, as many as one script may; the others before anything else happens.
function M.endTogether(rows, state, reason)
  local ids = M.idsOf()
  for place, row in ipairs(rows) do ids.added[place] = row.id end
  insert(stranded, {ids = ids, state = state, reason = reason})
  M.follow()
end

M.conclude = conclude

function M.finish(row, state, bytes, reason)
  conclude(row, state, bytes, reason)
  M.follow()
end

-- Ends a job that the move was not asked about.
function M.finishUnasked(row, state, reason)
  M.report(row, state, reason)
  M.finish(row, state, nil, reason)
end

-- Ends a job whose time to begin is over; whether it is.
function M.endIfExpired(row)
  if not row.expiresAt or row.expiresAt > S.now then return false end
  M.finishUnasked(row, "expired")
  return true
end

-- Skips a job that does not run, if the group that it leads to has failed; whether it did.
function M.giveUp(row)
  local join = M.failedGroupOf(row)
  if not join then return false end
  skip(row, {root = M.brokenOf(join).root, reason = GROUP_FAILED, failure = false})
  M.follow()
  return true
end

-- Ends those that wait again for a group which stays failed, and for nothing else.
function M.giveUpAgain(rows)
  local joins, known = {}, {}
  -- What follows comes last, and is known then to what is before it: a pipe may have thousands of stages.
  for place = #rows, 1, -1 do joins[place] = M.failedGroupAhead(rows[place], known) or false end
  for place, row in ipairs(rows) do
    if joins[place] then
      local broken = {root = M.brokenOf(joins[place]).root, reason = GROUP_FAILED, failure = false}
      if row.kind == "job" then skip(row, broken) else concludeJoin(row, broken) end
    end
  end
  M.follow()
end

-- When a job that is given back is due: it was so when it was claimed, though the clock may have been set back.
function M.dueBefore(row) return math.min(row.due, S.now) end

-- A run has been given back: the job waits again, unless the group that it leads to has failed.
function M.giveBack(row)
  M.endRun(row)
  if not M.giveUp(row) then M.enterLine(row) end
end

-- Looks at a job that is blocked: it may have become ready, or impossible.
function M.reconsider(row, broken)
  if row.state ~= "blocked" then return end
  if broken then
    skip(row, broken)
    M.follow()
  elseif (row.waits or 0) == 0 then M.enter(row) end
end

function M.reconsiderJoin(join, broken)
  if join.state ~= "blocked" then return end
  if broken then breakJoin(join, broken)
  elseif (join.waits or 0) == 0 then concludeJoin(join, nil) end
  M.follow()
end

-- Keeps on the job that a run has ended otherwise than by completing it.
function M.recordAttempt(row, run, bytes)
  row.stories = (row.stories or 0) + 1
  M.later("HSET", K.stories, row.stories .. ":" .. row.key, pack({attempt = row.attempt, fence = run.fence, owner = run.owner,
    startedAt = run.startedAt or run.claimedAt, endedAt = S.now, error = bytes}))
end

-- A user has revoked an active job: its owner is told. Whether it was not so before.
function M.flagRun(row)
  if not row.run or row.run.revoked then return false end
  row.run.revoked = true
  Q.x.flagged = (Q.x.flagged or 0) + 1
  M.later("HSET", K.flagged, row.key, row.run.owner)
  S.control = true
  return true
end
M.GROUP_FAILED = GROUP_FAILED
`;
