/** Removes what need not be kept any longer, or everything. */
export const purge: string = String.raw`
local request = S.request

-- A flush leaves the queue's settings: schedules, pauses and locks.
local function flushAll()
  local removed = 0
  local function drop(row)
    if row.kind == "job" then
      M.withdraw(row)
      M.endRun(row)
    end
    M.removeRow(row)
    if not FINAL[row.state] then row.state = "cancelled" end
    removed = removed + 1
  end
  local ended = M.eachListed(0, function(row)
    if row then drop(row) end
    return removed >= request.limit
  end)
  if not ended then return {removed = removed, more = true} end
  local names = call("HGET", K.memory, "removed")
  for _, key in ipairs({K.listing, K.listed, K.values, K.memory, K.uniques, K.awaited, K.bodies, K.members, K.stories, K.claims, K.ended}) do M.later("UNLINK", key) end
  if names then M.later("HSET", K.memory, "removed", names) end
  S.uniques, S.goneUniques = {}, nil
  Q.x.awaited, Q.x.withheld, Q.x.doneAside, Q.x.goneAside, Q.x.flagged = nil, nil, nil, nil, nil
  M.clearFeed()
  return {removed = removed, more = false}
end

return M.run(function()
  M.readQueue()
  if not (request.everything and Q.phase == "left") then M.refuseStill() end
  if M.isBehind() then return {behind = true} end
  if request.everything then return flushAll() end
  local removed = M.purgeDue(request.limit)
  return {removed = removed, more = removed > 0 and removed >= request.limit}
end)
`;
