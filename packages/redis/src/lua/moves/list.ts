/** Jobs in the order of enqueue, a part of the way at a time. */
export const list: string = String.raw`
local request = S.request
-- Others wait meanwhile.
local LOOKED_AT = 500

-- Nothing for a job that is not stored.
local function orderOf(after)
  if not after then return 0 end
  local order = string.match(after, "^=(%d+)$")
  if order then return tonumber(order) end
  local row = M.jobOf(after)
  return row and row.order or nil
end

local STANDING = {ready = K.ready, scheduled = K.scheduled}

-- Whether there is no job in any of these states. A row that somebody has written into is a quarantined one, and not counted as such yet.
local function areEmpty(states)
  for state in pairs(states) do
    local place, key = COUNTED[state], STANDING[state]
    local count = place and Q.counts[place] or key and call("ZCARD", key) or state == "active" and M.countActive()
    if state == "quarantined" or not count or count > 0 then return false end
  end
  return true
end

return M.look(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  local states, counts = nil, {}
  if request.states then
    states = {}
    for _, state in ipairs(request.states) do states[state] = true end
  end
  local order = orderOf(request.after)
  if not order then return {unknown = true} end
  if states and areEmpty(states) then return {records = {}, counts = counts, after = "=" .. string.format("%d", order), ended = true} end
  local records, looked = {}, 0
  local ended = M.eachListed(order, function(row, own)
    order = own
    looked = looked + 1
    if row and row.kind == "job" and (not states or states[row.state]) and (not request.task or request.task == row.task) then
      if request.counts then
        local known = counts[row.task] or {}
        counts[row.task] = known
        known[row.state] = (known[row.state] or 0) + 1
      else records[#records + 1] = {order, M.jobRecord(row, true)} end
    end
    return #records >= request.limit or looked >= LOOKED_AT
  end)
  return {records = records, counts = counts, after = "=" .. string.format("%d", order), ended = ended}
end)
`;
