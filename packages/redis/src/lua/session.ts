import { PHASE_WORDS } from "@taskq/core/storage";
import { EPOCH, fenceBefore } from "./fences.js";
import { less } from "./less.js";

const moved = Object.entries(PHASE_WORDS)
  .map(([phase, words]) => `${phase} = "${words}"`)
  .join(", ");

/** One call: the request, the clock, the queue's row, and what is written at the end. */
export const session: string = String.raw`
local call, pack, decode, decodeFrom = redis.call, cmsgpack.pack, cmsgpack.unpack, cmsgpack.unpack_limit
local sub, byte, find, floor, insert = string.sub, string.byte, string.find, math.floor, table.insert
local M, S, Q = {}, {}, nil
${less}
S.request = REQUEST()
S.effects, S.writes, S.final, S.events = {}, {}, {}, {}

local FINAL = {completed = true, failed = true, cancelled = true, expired = true, skipped = true, quarantined = true}
-- Those that are not counted by the size of an index.
local COUNTED = {blocked = 1, parked = 2, completed = 3, failed = 4, cancelled = 5, expired = 6, skipped = 7, quarantined = 8}
local EPOCH = ${EPOCH}

function M.refuse(code, message)
  error({code = code, message = message}, 0)
end

do
  if S.request.now then S.now = S.request.now
  else
    local time = call("TIME")
    S.now = time[1] * 1000 + floor(time[2] / 1000)
  end
end

local MOVING = {"still", "departure", "destination", "origin", "arrival", "cursor", "complete", "sealing"}

local function setOf(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

local function sorted(set)
  local names = {}
  for name in pairs(set or {}) do names[#names + 1] = name end
  table.sort(names, less)
  return names
end

local PHASES = setOf({"open", "leaving", "left", "arriving"})

-- What stands in the row of the queue; fails, or answers nothing, where somebody has written into it.
local function queueFrom(text)
  local epoch, phase, fence, order, paused, later, a, b, c, d, e, f, g, h, retention, held, revoked, moving, looked, feed, unknownAfter = decode(text)
  local x = {retention = retention, unknownAfter = unknownAfter}
  if feed then x.feed = {tag = feed[1], last = feed[2], gone = feed[3], ["until"] = feed[4] or nil} end
  if held then
    x.awaited, x.withheld, x.flagged = held[1] + 0, held[2] + 0, held[5] + 0
    x.doneAside, x.goneAside = (held[6] or 0) + 0, (held[7] or 0) + 0
    x.lines, x.paused = setOf(held[3]), setOf(held[4])
  end
  for _, own in ipairs(revoked or {}) do
    x.revoked = x.revoked or {}
    x.revoked[own[1]] = {once = own[2], ["until"] = own[3] or nil}
  end
  if moving then
    x.moving = {}
    for place, name in ipairs(MOVING) do x.moving[name] = moving[place] or nil end
  end
  local counts = {a, b, c, d, e, f, g, h}
  -- All of these are always there: one that was cut off before them would say that nothing is paused.
  local numbers = {epoch, fence, order, looked, retention[1], retention[2], retention[3], retention[4], a, b, c, d, e, f, g, h}
  for place = 1, 16 do if type(numbers[place]) ~= "number" then return nil end end
  if not PHASES[phase] then return nil end
  return {epoch = epoch, phase = phase, fence = fence, order = order, paused = paused, later = later, counts = counts, x = x, looked = looked, text = text}
end

function M.readQueue()
  local text = call("GET", K.queue)
  if not text then error({code = "TASKQ_STORAGE", message = "the queue is not open: there is nothing of it on the server", gone = true}, 0) end
  local fine, own = pcall(queueFrom, text)
  if not fine or not own then error("Bad data format: the row of the queue", 0) end
  Q = own
  S.queue = Q
end

-- How many completed jobs and how many others there are of which a queue keeps no more than so many. Those that are put aside are the
-- oldest, and stay: the newest do beside them.
function M.keptCounts()
  local c, x = Q.counts, Q.x
  return c[3] - (x.doneAside or 0), c[4] + c[5] + c[6] + c[7] + c[8] - (x.goneAside or 0)
end

-- What is empty is left out: the short paths ask only whether it is there.
function M.encodeQueue()
  local c, x = Q.counts, Q.x
  local held, revoked, moving = nil, nil, nil
  local lines, paused = sorted(x.lines), sorted(x.paused)
  if #lines + #paused + (x.awaited or 0) + (x.withheld or 0) + (x.flagged or 0) > 0 then
    held = {x.awaited or 0, x.withheld or 0, lines, paused, x.flagged or 0, x.doneAside or 0, x.goneAside or 0}
  end
  for _, task in ipairs(sorted(x.revoked)) do
    revoked = revoked or {}
    local own = x.revoked[task]
    revoked[#revoked + 1] = {task, own.once, own["until"] or false}
  end
  if x.moving then
    moving = {}
    for place, name in ipairs(MOVING) do moving[place] = x.moving[name] or false end
  end
  return pack(Q.epoch, Q.phase, Q.fence, Q.order, Q.paused, Q.later, c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], x.retention, held, revoked, moving,
    Q.looked, x.feed and {x.feed.tag, x.feed.last, x.feed.gone, x.feed["until"] or false} or nil, x.unknownAfter)
end

-- Greater than every one before, also than those that the server has lost.
function M.nextFence()
  Q.fence = Q.fence + 1
  if not S.request.now and Q.phase == "open" then Q.fence = math.max(Q.fence, ${fenceBefore("S.now", "Q.epoch")}) end
  return Q.epoch * EPOCH + Q.fence
end

-- Fences go on from the epoch that they have reached.
function M.catchUpEpoch()
  Q.epoch, Q.fence = Q.epoch + floor(Q.fence / EPOCH), Q.fence % EPOCH
end

function M.nextOrder()
  Q.order = Q.order + 1
  return Q.order
end

local MOVED = {${moved}}

function M.moved(but)
  local message = 'the queue "' .. S.request.queue .. '" ' .. MOVED[Q.phase] .. (but or "")
  error({code = "TASKQ_MOVED", message = message, phase = Q.phase}, 0)
end

-- Refuses what is new.
function M.admitNew()
  if Q.phase ~= "open" then M.moved() end
end

-- Refuses what is new, but from a run: that ends where it is, with all that it does. One of another partition was found there.
function M.admitFrom(run)
  if Q.phase == "leaving" and run and run.elsewhere then return M.refuseStill() end
  if not (Q.phase == "leaving" and run and M.runOf(run.id, run.fence)) then M.admitNew() end
end

function M.isStill()
  return Q.phase == "left" or Q.phase == "arriving" or (Q.phase == "leaving" and Q.x.moving.still == true)
end

-- Refuses what runs may still do.
function M.refuseStill()
  if M.isStill() then M.moved() end
end

-- Written after everything else was read.
function M.later(...)
  insert(S.writes, {...})
end

-- Calls a command with so many arguments that they do not fit the stack at once.
function M.inCuts(command, key, list, step)
  local size = #list
  for from = 1, size, step do
    call(command, key, unpack(list, from, math.min(from + step - 1, size)))
  end
end

function M.report(row, kind, reason, cause, gate)
  insert(S.effects, {row.id, row.task, kind, row.attempt, reason or false, cause or false, gate or false})
end

-- A stored schedule. One that somebody has written into has that for its bytes: whoever fires it finds that they cannot be read.
function M.scheduleOf(text)
  local fine, record = pcall(decode, text)
  if fine and type(record) == "table" and type(record.origin) == "string" and type(record.task) == "string" and type(record.bytes) == "string"
    and type(record.lastAt) == "number" then
    return record
  end
  return {origin = "stored", task = "unknown", bytes = text, paused = false, lastAt = S.now}
end

-- Whether something is left that follows from an earlier call: then nothing else may happen before.
function M.isBehind()
  return Q.later == true
end

-- What a script answers that was refused, by us or by a command.
local function refusedBy(failure)
  if type(failure) == "table" and failure.code then return pack({refused = failure}) end
  return redis.error_reply("TASKQ_SCRIPT " .. tostring(type(failure) == "table" and failure.err or failure))
end

-- For those that change nothing.
function M.look(main)
  local fine, answer = pcall(main)
  return fine and pack(answer) or refusedBy(answer)
end

function M.run(main)
  local fine, answer = pcall(main)
  if fine and S.lost and M.putLostAside then
    local done, failure = pcall(M.putLostAside)
    if not done then fine, answer = false, failure end
  end
  if not fine then return refusedBy(answer) end
  answer.effects = S.effects
  answer.hints = M.hints()
  local text = pack(answer)
  M.flush()
  return text
end
`;
