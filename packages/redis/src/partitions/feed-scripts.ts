/** The scripts that put the feeds of all partitions together. */
import type { Script } from "../connection/script.js";
import { always, FEW, made } from "../lua/scripts.js";
import { BESIDE } from "./scripts.js";

/** Of the home partition: how far the feeds of the others have been gathered. */
export const GATHERED_KEY = "gathered";

/** How far the feeds of the other partitions have been gathered, and up to which number the home partition's is as it stays. */
export const gathered: Script = made(
  "gathered",
  FEW,
  String.raw`
return M.look(function()
  M.readQueue()
  local list, positions, own = call("HGETALL", ${BESIDE}), {}, Q.x.feed or {}
  for place = 1, #list, 2 do positions[#positions + 1] = {list[place], list[place + 1]} end
  return {positions = positions, phase = Q.phase, followed = own["until"] ~= nil and S.now <= own["until"], last = string.format("%d", own.last or 0)}
end)
`,
);

/**
 * Puts events of other partitions among those of the home partition, unless somebody else has done so. What nobody has
 * read yet is numbered anew, so that all are in the order of their instants.
 */
export const gather: Script = always(
  made(
    "gather",
    FEW,
    String.raw`
local request, own, settled = S.request, nil, 0

-- Of the home partition, in their order: those that nobody has been handed.
local function tailOf()
  local tail = {}
  for _, entry in ipairs(call("XRANGE", K.feed, string.format("(%d-1", settled), "+")) do
    local event = M.eventOf(entry)
    if event then tail[#tail + 1] = {name = entry[1], text = entry[2][2], id = event.id, time = event.time} end
  end
  return tail
end

local function packed(event)
  return {id = event.id, time = event.time, text = pack({event.id, event.task, event.state, event.attempt, event.fence, event.time,
    event.startedAt or false, event.reason or false, event.error or false})}
end

local function isBefore(left, right)
  if left.time ~= right.time then return left.time < right.time end
  return less(left.id, right.id)
end

-- Two lists, each of which keeps its order.
local function merged(tail, others)
  local list, at, to = {}, 1, 1
  while tail[at] or others[to] do
    if not others[to] or (tail[at] and not isBefore(others[to], tail[at])) then
      list[#list + 1] = tail[at]
      at = at + 1
    else
      list[#list + 1] = others[to]
      to = to + 1
    end
  end
  return list
end

-- Those behind the last instant that is known of all wait for what else there is of it.
local function number(list)
  for _, entry in ipairs(list) do
    if entry.name then M.later("XDEL", K.feed, entry.name) end
    own.last = own.last + 1
    M.addEvent(entry.text)
    if not request.till or entry.time <= request.till then settled = own.last end
  end
end

return M.run(function()
  M.readQueue()
  own = Q.x.feed
  if request.anew then
    M.later("UNLINK", ${BESIDE})
    return {settled = 0}
  end
  local ours, missed = {}, false
  for _, one in ipairs(request.positions) do
    local partition, from, till, broken = unpack(one)
    if (call("HGET", ${BESIDE}, partition) or "") == from then
      ours[partition] = true
      M.later("HSET", ${BESIDE}, partition, till)
      missed = missed or broken
    end
  end
  if not own then return {settled = 0} end
  settled = math.min(own.last, tonumber(call("HGET", ${BESIDE}, "settled") or own.last))
  local before = settled
  -- Some were let go before anybody has gathered them: whoever has read before that is told so.
  if missed then
    own.last = own.last + 1
    M.clearFeed()
    settled = own.last
  end
  if own["until"] and S.now <= own["until"] then
    local others = {}
    for _, event in ipairs(request.events) do if ours[event.partition] then others[#others + 1] = packed(event) end end
    if #others > 0 then number(merged(missed and {} or tailOf(), others))
    elseif not request.till then settled = own.last end
  end
  if settled ~= before or not call("HGET", ${BESIDE}, "settled") then M.later("HSET", ${BESIDE}, "settled", string.format("%d", settled)) end
  return {settled = settled}
end)
`,
  ),
);
