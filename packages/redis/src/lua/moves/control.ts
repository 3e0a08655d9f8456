/** Pausing and revoking tasks, and pausing the queue. */
export const control: string = String.raw`
local request = S.request

local function among(name)
  Q.x[name] = Q.x[name] or {}
  return Q.x[name]
end

local function controlQueue(kind)
  local before = Q.paused
  if kind == "pause" then Q.paused = true end
  if kind == "resume" then Q.paused = false end
  return Q.paused ~= before
end

local function controlTask(task, change)
  local revoked = M.revocationOf(task)
  if change.kind == "pause" then
    if among("paused")[task] then return false end
    among("paused")[task] = true
    return true
  elseif change.kind == "resume" then
    if not among("paused")[task] then return false end
    among("paused")[task] = nil
    return true
  elseif change.kind == "restore" then
    if not revoked then return false end
    among("revoked")[task] = nil
    return true
  elseif change.kind == "revoke" then
    if revoked and revoked.once == change.once and revoked["until"] == change["until"] then return false end
    among("revoked")[task] = {once = change.once, ["until"] = change["until"]}
    return true
  end
  return false
end

return M.run(function()
  M.readQueue()
  M.admitFrom(request.run)
  if M.isBehind() then return {behind = true} end
  local task, change = request.task, request.change
  local changed = nil
  if task then changed = controlTask(task, change) else changed = controlQueue(change.kind) end
  if changed then S.control = true end
  if changed and change.kind == "resume" then
    -- Nobody could announce a task meanwhile.
    if not task then M.beginLinesAnew() end
    M.letKnownGo({})
    S.ready = true
  end
  local paused = Q.paused
  if task then paused = (Q.x.paused and Q.x.paused[task]) == true end
  return {changed = changed, paused = paused, revoked = task ~= nil and M.revocationOf(task) ~= nil}
end)
`;
