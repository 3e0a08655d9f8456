/** Starts outside of jobs, under the limits of the jobs. */
export const take: string = String.raw`
local REMEMBERED = 600000

-- It stands in no line, and passes places that are kept for jobs: whoever waits for it may be what keeps those from running.
return M.run(function()
  local request = S.request
  M.readQueue()
  local own = {kind = "limit", key = request.key, max = request.max, per = request.per}
  local name = "t:" .. request.operation
  local before = call("HGET", K.memory, name)
  if before and tonumber(before) > S.now then return {taken = true} end
  M.refuseStill()
  if M.countStarts(own) >= own.max then return {taken = false, opensAt = M.instantOfRoom(own, 0)} end
  M.addStart(own, request.operation, 0)
  M.later("HSET", K.memory, name, string.format("%.17g", S.now + REMEMBERED))
  M.expire(S.now + REMEMBERED, name)
  local gate = M.gateOf("limit:" .. request.key)
  if gate then M.planOpening(gate) end
  return {taken = true}
end)
`;
