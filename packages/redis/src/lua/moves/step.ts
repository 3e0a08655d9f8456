/** Settles ended runs and claims others. */
export const step: string = String.raw`
local request = S.request
-- All that the rest of one script tells, if it is run more than once.
S.effects = SAID.effects or S.effects
SAID.effects = S.effects

local function ownerOf(name)
  local text = call("HGET", K.owners, name)
  if not text then return {request = -1} end
  local fine, number, fence, keys, at, waited = pcall(decode, text)
  if not fine or type(number) ~= "number" or type(keys) ~= "table" then return {request = -1} end
  return {request = number, fence = fence, keys = keys, at = at, waited = waited}
end

-- A repeat of a claim from before the queue began to leave is answered.
local function claimsAnew()
  local claim = request.claim
  return claim and claim.begin + claim.ahead > 0 and request.request > ownerOf(request.lane).request
end

local function hasReady()
  return not Q.paused and M.index(K.ready):peek() ~= nil
end

local function knownTasks()
  local knows = {}
  for _, task in ipairs(request.tasks) do knows[task] = true end
  return knows
end

local function remember(fence, keys)
  S.owner = request.lane
  M.later("HSET", K.owners, request.lane, pack(request.request, fence, keys, S.now))
end

-- Claims, or answers a claim that was made already; last, whether it did that.
local function claimOnce(knows)
  if not request.claim then return {}, hasReady() end
  local owner = ownerOf(request.lane)
  if Q.phase ~= "open" or request.request <= owner.request then
    local rows = {}
    -- What waited may have been handed a job after the request that is repeated.
    local isLast = request.request == owner.request or owner.waited and request.request < owner.request
    for _, key in ipairs(isLast and owner.keys or {}) do
      local row = M.rowAt(key)
      if row and row.run and row.run.fence == owner.fence then rows[#rows + 1] = row end
    end
    return rows, hasReady(), nil, true
  end
  local before = #S.effects
  local opens = M.openDueGates(knows)
  local due = M.promote()
  local rows, more, fence, passed = M.claim(request.owner, knows, request.claim)
  -- What it met is to be followed up first: then it is asked for again.
  if #rows == 0 and Q.later then
    S.part = true
    return rows, true
  end
  -- One that did nothing is not remembered, so that idling writes nothing; but for one of which an older copy may still come.
  if #rows > 0 or #S.effects > before or request.noted then
    local keys = {}
    for place, row in ipairs(rows) do keys[place] = row.key end
    if owner.request < 0 then M.expire(S.now + 604800000, "o:" .. request.lane) end
    remember(fence or 0, keys)
  end
  return rows, more or ((due or opens) and not request.claim.ids), passed
end

local function toldOf(rows)
  local claimed = {}
  for _, row in ipairs(rows) do
    if row.run then
      local told = M.claimedJob(row)
      told.before = row.before
      claimed[#claimed + 1] = told
    end
  end
  return claimed
end

-- All of a claim, which the short way has left.
local function claimAll()
  local rows, more, passed = claimOnce(knownTasks())
  for _, row in ipairs(rows) do row.before = 0 end
  return {claimed = toldOf(rows), begins = 0, more = more, nextDue = M.nextDue(), passed = passed ~= false}
end

-- What the short way has left of a claim: where each stands is told by how many of the others come before it.
local function claimOthers()
  local rows, more = M.claimOthers(request.owner, knownTasks(), SAID.others, request.claim.lease)
  local keys, next = {}, 1
  for place = 0, #SAID.others.taken do
    if place > 0 then keys[#keys + 1] = SAID.others.taken[place] end
    while rows[next] and rows[next].before == place do
      keys[#keys + 1] = rows[next].key
      next = next + 1
    end
  end
  if #rows > 0 then remember(SAID.others.fence, keys) end
  local begins = 0
  for _, begun in ipairs(SAID.others.begins) do begins = begins + (begun or 0) end
  return {claimed = toldOf(rows), begins = begins, more = more, nextDue = M.nextDue()}
end

return M.run(function()
  M.readQueue()
  if SAID.ahead and not SAID.ahead.isDone then
    for _, one in ipairs(request.settled) do M.settle(one) end
    SAID.ahead.isDone = true
    return {}
  end
  if SAID.others then
    S.bounded = true
    return SAID.others.areAll and claimAll() or claimOthers()
  end
  if Q.phase ~= "open" and claimsAnew() then M.moved() end
  if M.isBehind() then return {behind = true} end
  M.checkSettlements(request.settled)
  -- First, since a run may have begun and ended since the step before.
  for _, run in ipairs(request.begun) do
    local row, own = M.runOf(run[1], run[2])
    if row then M.begin(row, own) end
  end
  S.bounded = true
  local settled = {}
  for place, one in ipairs(request.settled) do
    settled[place] = one.isDone and "applied" or M.settle(one)
    if Q.later then break end
  end
  if request.stats then M.putStats(request.stats) end
  if Q.later then return {settled = settled, part = true, revoked = M.revokedRuns(request.owner)} end
  local knows = knownTasks()
  local moreParked = Q.phase == "open" and M.letKnownGo(knows)
  if request.noted then forget() end
  local rows, more, passed, isRepeat = claimOnce(knows)
  if not M.isStill() and not Q.later then M.purgeDue(100 + #request.settled) end
  -- A repeat leaves nothing to wait: a late copy would leave a claim that its owner does not know.
  local waiting = request.claim and #rows == 0 and not (more or moreParked or S.part or isRepeat or Q.later) and waits(S.now, M.nextDue())
  return {waits = waiting or nil, settled = settled, part = S.part, claimed = toldOf(rows), more = more or (moreParked and not Q.paused), nextDue = M.nextDue(),
    revoked = M.revokedRuns(request.owner),
    passed = passed, time = S.now}
end)
`;
