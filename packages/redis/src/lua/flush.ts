/** Writing down what a call has done: nothing is written before everything has been read. */
export const flush: string = String.raw`
-- What others are told; ids only as long as they are few.
function M.hints()
  if not (S.ready or S.control or #S.final > 0) then return nil end
  local final = nil
  if #S.final > 0 then final = #S.final <= 100 and S.final or true end
  return {ready = S.ready, control = S.control, final = final}
end

-- Each list of changes in one hash.
local function change(key, changed, gone)
  if changed and #changed > 0 then M.inCuts("HSET", key, changed, 4000) end
  if gone and #gone > 0 then M.inCuts("HDEL", key, gone, 4000) end
end

function M.flush()
  -- Each part that a script is made of knows what it has changed.
  if M.pruneFeed then M.pruneFeed() end
  local changed, apart, gone, claims, goneClaims, gates, goneGates, uniques, goneUniques, logs
  if M.changedRows then
    changed, apart, gone = M.changedRows()
    claims, goneClaims = M.changedClaims()
  end
  if M.changedGates then
    gates, goneGates = M.changedGates(), M.goneGates()
    uniques, goneUniques = M.changedUniques()
    logs = M.changedLogs()
  end
  local hints = M.hints()
  change(K.bodies, apart)
  change(K.rows, changed, gone)
  change(K.claims, claims, goneClaims)
  change(K.gates, gates, goneGates)
  change(K.uniques, uniques, goneUniques)
  change(K.limits, logs)
  for _, index in pairs(S.indexes) do index:write() end
  for _, write in ipairs(S.writes) do call(unpack(write)) end
  if M.writeListing then M.writeListing() end
  if M.writeEvents then M.writeEvents() end
  local text = M.encodeQueue()
  if text ~= Q.text then call("SET", K.queue, text) end
  if S.postponed then M.keepLeft() end
  -- Where nobody could hear it, there is no command.
  if not hints or ARGV[2] == "" then return end
  if hints.ready or hints.control then call(ARGV[2], K.wake, pack({ready = hints.ready, control = hints.control})) end
  if hints.final then call(ARGV[2], K.wake .. ":final", pack({final = hints.final})) end
end
`;
