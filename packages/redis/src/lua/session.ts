/** One call: the request, the clock, the queue's row, and what is written at the end. */
export const session: string = String.raw`
local call, pack, decode = redis.call, cmsgpack.pack, cmsgpack.unpack
local sub, byte, find, floor, insert = string.sub, string.byte, string.find, math.floor, table.insert
local M, S, Q = {}, {}, nil

S.request = decode(ARGV[1])
S.effects, S.writes, S.final = {}, {}, {}

local FINAL = {completed = true, failed = true, cancelled = true, expired = true, skipped = true, quarantined = true}
-- Those that are not counted by the size of an index.
local COUNTED = {blocked = 1, parked = 2, completed = 3, failed = 4, cancelled = 5, expired = 6, skipped = 7, quarantined = 8}
local EPOCH = 1099511627776

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

function M.readQueue()
  local text = call("GET", K.queue)
  if not text then M.refuse("TASKQ_STORAGE", "the queue is not open: there is nothing of it on the server") end
  local epoch, phase, fence, order, paused, later, a, b, c, d, e, f, g, h, x = decode(text)
  Q = {epoch = epoch, phase = phase, fence = fence, order = order, paused = paused, later = later,
    counts = {a, b, c, d, e, f, g, h}, x = x, text = text}
  S.queue = Q
end

function M.encodeQueue()
  local c = Q.counts
  return pack(Q.epoch, Q.phase, Q.fence, Q.order, Q.paused, Q.later, c[1], c[2], c[3], c[4], c[5], c[6], c[7], c[8], Q.x)
end

-- Greater than every one before.
function M.nextFence()
  Q.fence = Q.fence + 1
  return Q.epoch * EPOCH + Q.fence
end

function M.nextOrder()
  Q.order = Q.order + 1
  return Q.order
end

local MOVED = {
  open = "is not moving", leaving = "is moving to another storage",
  left = "has moved to another storage", arriving = "is being filled from another storage",
}

function M.moved(but)
  M.refuse("TASKQ_MOVED", 'the queue "' .. S.request.queue .. '" ' .. MOVED[Q.phase] .. (but or ""))
end

-- Refuses what is new.
function M.admitNew()
  if Q.phase ~= "open" then M.moved() end
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
  insert(S.effects, {id = row.id, task = row.task, kind = kind, reason = reason, cause = cause, gate = gate, attempt = row.attempt})
end

-- Whether something is left that follows from an earlier call: then nothing else may happen before.
function M.isBehind()
  return Q.later == true
end

-- For those that change nothing.
function M.look(main)
  local fine, answer = pcall(main)
  if not fine then
    if type(answer) == "table" then return pack({refused = answer}) end
    return redis.error_reply("TASKQ_SCRIPT " .. tostring(answer))
  end
  return pack(answer)
end

function M.run(main)
  local fine, answer = pcall(main)
  if not fine then
    if type(answer) == "table" then return pack({refused = answer}) end
    return redis.error_reply("TASKQ_SCRIPT " .. tostring(answer))
  end
  answer.effects = S.effects
  answer.hints = M.hints()
  local text = pack(answer)
  M.flush()
  return text
end
`;
