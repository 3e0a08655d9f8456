/** Why jobs stand where they stand. */
export const explain: string = String.raw`
local request = S.request
local known = nil
if request.tasks then
  known = {}
  for _, task in ipairs(request.tasks) do known[task] = true end
end

-- Tasks that are revoked once, which the home partition of a queue in several knows.
local revokedOnce = {}
for _, own in ipairs(request.once or {}) do revokedOnce[own[1]] = not own[2] or own[2] > S.now end

local function blockedCause(row)
  local ids = {}
  for _, source in ipairs(M.sourcesOf(row)) do if not FINAL[source.state] then ids[#ids + 1] = source.id end end
  return {code = "blocked", by = ids}
end

local function waitingCause(row)
  if row.state == "ready" then return {code = "waiting", ahead = M.blocks.rank(-row.priority, M.readyMember(row)) or 0} end
  return {code = "waiting", ahead = M.countReady(-row.priority)}
end

-- Ids of the jobs, and owners of the tickets.
local function holdersOf(row, name, gate)
  if sub(name, 1, 7) == "unique:" then
    local entry = M.uniqueOf(sub(name, 8))
    return {entry and entry.holder}
  end
  local ids = {}
  if sub(name, 1, 9) == "schedule:" then
    local all = call("HGETALL", K.awaited)
    for place = 1, #all, 2 do
      for _, id in ipairs(decode(all[place + 1])[2]) do if id == row.id then ids[#ids + 1] = all[place] end end
    end
    return ids
  end
  if not gate then return ids end
  for _, member in ipairs(M.holdersIn(gate):all()) do
    local holder = M.rowAt(sub(member, 7))
    if holder then ids[#ids + 1] = holder.id end
  end
  for _, ticket in pairs(gate.tickets) do ids[#ids + 1] = ticket.owner end
  return ids
end

-- When the window has room for this job, whoever goes before it.
local function limitOpensAt(row, name)
  for _, own in ipairs(row.gates or {}) do
    if M.nameOf(own) == name then
      if M.countStarts(own) < own.max then return nil end
      return M.instantOfRoom(own, 0)
    end
  end
end

local function gateCause(row, name)
  local gate = M.gateOf(name)
  local kind = string.match(name, "^(%a+):")
  local ahead = gate and gate.size or 0
  if gate and row.gate == name then ahead = call("ZLEXCOUNT", K.lines, "[" .. M.six(gate.number), "(" .. row.line) end
  local opensAt = gate and gate.opensAt
  if kind == "limit" then opensAt = limitOpensAt(row, name) end
  local label = (kind == "lock" or kind == "concurrency" or kind == "limit") and sub(name, #kind + 2) or name
  return {code = ({concurrency = "no-slot", limit = "limited"})[kind] or "locked", gate = label, holders = holdersOf(row, name, gate),
    ahead = ahead, opensAt = opensAt}
end

-- Whether it waits for its turn, beside whatever else keeps it.
local function waitingCauses(row, causes)
  if row.state == "blocked" then causes[#causes + 1] = blockedCause(row)
  elseif row.state == "parked" then
    local name = row.gate
    if sub(name, 1, 5) == "task:" then causes[#causes + 1] = {code = "no-consumer", task = row.task}
    -- Told by the controls while it lasts; a resumed job is let go by one of the next steps.
    elseif sub(name, 1, 6) ~= "pause:" then causes[#causes + 1] = gateCause(row, name) end
  elseif row.due > S.now then
    if row.failures > 0 then causes[#causes + 1] = {code = "retrying", failures = row.failures, at = row.due} end
    causes[#causes + 1] = {code = "not-due", at = row.due}
  else
    local closed = M.firstClosed(row)
    if closed then causes[#causes + 1] = gateCause(row, M.nameOf(closed)) end
    return true
  end
end

local function controlCauses(row, causes)
  if Q.paused then causes[#causes + 1] = {code = "paused"} end
  if Q.x.paused and Q.x.paused[row.task] then causes[#causes + 1] = {code = "paused", task = row.task} end
  if M.revocationOf(row.task) or revokedOnce[row.task] then causes[#causes + 1] = {code = "revoked", task = row.task} end
  local told = row.gate and sub(row.gate, 1, 5) == "task:"
  if known and not known[row.task] and not told then causes[#causes + 1] = {code = "no-consumer", task = row.task} end
end

-- The weightiest first.
local function causesOf(row)
  local causes = {}
  if FINAL[row.state] then causes[1] = {code = "final", reason = row.reason, cause = row.kind == "job" and M.causeOf(row) or row.cause}
  elseif row.kind == "join" then causes[1] = blockedCause(row)
  elseif row.state == "active" then
    local run = row.run
    causes[1] = {code = "running", owner = run.owner, since = run.startedAt or run.claimedAt, leaseUntil = M.index(K.active):score(row.key)}
  else
    if row.expiresAt and row.expiresAt <= S.now then causes[1] = {code = "expired", at = row.expiresAt} end
    local due = waitingCauses(row, causes)
    controlCauses(row, causes)
    -- Last: whatever else keeps it weighs more than its turn.
    if #causes == 0 or due then causes[#causes + 1] = waitingCause(row) end
  end
  if row.kind == "job" and row.crashes > 0 then causes[#causes + 1] = {code = "crashed", crashes = row.crashes} end
  return causes
end

return M.look(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  local facts = {}
  for place, id in ipairs(request.ids) do
    local row = M.rowOf(id)
    if row then facts[place] = {id = id, state = row.state, task = row.task, causes = causesOf(row)}
    else facts[place] = {id = id, state = "unknown", causes = {}} end
  end
  return {facts = facts}
end)
`;
