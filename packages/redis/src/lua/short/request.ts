/** How a step is asked for. */
export const request: string = String.raw`
-- now, command to publish with, owner, request, begin, ahead, lease, tasks; packed: ids, begun, what is seldom, and of each settlement
-- id, fence, startedAt, what it is, and bytes: 0 completed without a result, 1 with this one, 2 anything else, packed,
-- 3 quarantined with this error; the owner and the lane, as the last claim is kept under; what is told of
-- those that completed, if more than which they are. Seldom, what is to wait if nothing is claimed, and what waits that is taken back
-- (hand.ts).

local function unpacked(text)
  if text ~= "" then return cmsgpack.unpack(text) end
end

local function settlementAt(list, at)
  local mark, one = list[at + 3], {kind = "completed"}
  if mark == 3 then one.kind = "quarantined" end
  if mark == 1 or mark == 3 then one.bytes = list[at + 4] end
  if mark == 2 then one = cmsgpack.unpack(list[at + 4]) end
  one.id, one.fence, one.startedAt = list[at], list[at + 1], list[at + 2]
  return one
end

-- The same request as the rest of the script reads it.
function REQUEST()
  local settled, list = {}, not SAID.others and unpacked(ARGV[12]) or {}
  -- Those that are settled first are alone at first; then they are done.
  local first, isFirst = SAID.ahead or {}, SAID.ahead and not SAID.ahead.isDone
  for at = 1, #list, 5 do
    if first[at] or not isFirst then
      local one = settlementAt(list, at)
      one.isDone = not isFirst and (first.areAll or first[at])
      settled[#settled + 1] = one
    end
  end
  local tasks, claim = {}, nil
  for task in string.gmatch(ARGV[8], "[^\n]+") do tasks[#tasks + 1] = task end
  if ARGV[5] ~= "" and not isFirst then
    claim = {begin = tonumber(ARGV[5]), ahead = tonumber(ARGV[6]), lease = tonumber(ARGV[7]), ids = unpacked(ARGV[9])}
  end
  local seldom = unpacked(ARGV[11]) or {}
  return {now = tonumber(ARGV[1]), queue = string.match(KEYS[1], "{(.-)}"), owner = ARGV[3], lane = ARGV[13], request = tonumber(ARGV[4]), tasks = tasks,
    claim = claim, settled = settled, begun = not isFirst and unpacked(ARGV[10]) or {}, stats = seldom.stats, atOnce = seldom.atOnce, noted = seldom.noted}
end
`;
