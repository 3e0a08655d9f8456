import { labels } from "../gate-rows.js";
import { key } from "./key.js";

/** Lines of jobs that wait for a lock or a concurrency key: who is parked, and who goes on. */
export const lines: string = String.raw`
local WAITS = {[GATE] = true, [LINE] = true, [PASSING] = true, [PARK] = true}

${labels}

-- What a row has, with this of where it waits.
local function placed(x, ...)
  local list, more, isIn = {}, {...}, false
  for place = 1, #x, 2 do
    if x[place] > PARK and not isIn then
      for _, value in ipairs(more) do list[#list + 1] = value end
      isIn = true
    end
    if not WAITS[x[place]] then
      list[#list + 1] = x[place]
      list[#list + 1] = x[place + 1]
    end
  end
  if not isIn then for _, value in ipairs(more) do list[#list + 1] = value end end
  return list
end

local function valueOf(x, number)
  for place = 1, #x, 2 do if x[place] == number then return x[place + 1] end end
end

-- A row with this state and this beside it, all else as it was.
local function rewritten(row, code, x)
  -- Its state is one byte, behind the due; then come its task and what it has.
  local due = decodeFrom(row, 1, 11)
  local task = decodeFrom(row, 1, due + 1)
  local rest = decodeFrom(row, 1, task)
  return sub(row, 1, due) .. char(code) .. sub(row, due + 2, task) .. pack(x) .. sub(row, rest + 1)
end

-- Puts a ready job into the line of a gate.
local function park(row, x, key, member, name)
  local tail, due, _, task, _, attempt, _, _, _, _, _, _, _, _, _, _, _, _, suffix = decodeFrom(row, 18, 11)
  local _, priority = decodeFrom(row, 1, tail)
  local order, at = struct.unpack(">I5I6", row)
  local gate = gateAt(name)
  gate.number = gate.number or nextOrder()
  gate.parked = gate.parked + 1
  local line = six(gate.number) .. four(priority) .. six(at + due) .. "j" .. struct.pack(">I5", order) .. key
  LINES.parked[#LINES.parked + 1] = {key = key, row = rewritten(row, PARKED, placed(x, GATE, name, LINE, line, PARK, nextOrder())), member = member, line = line,
    told = {suffix and key .. suffix or sub(key, 2), task, "parked", attempt, false, false, labelOf(name)}}
end

-- Lets the first in line go as far as there are places; whether all that is known here.
local function openLine(gate, now)
  local prefix = six(gate.number)
  while gate.size > 0 do
    local line = call("ZRANGEBYLEX", ${key("lines")}, "[" .. prefix, "(" .. six(gate.number + 1), "LIMIT", gate.gone, 1)[1]
    if not line or sub(line, 17, 17) ~= "j" then return false end
    local key = sub(line, 23)
    local row = call("HGET", ${key("rows")}, key)
    if not row then return false end
    local tail, due, code, task, x, attempt, _, _, _, _, _, _, _, _, _, _, odd, _, suffix = decodeFrom(row, 18, 11)
    local _, priority = decodeFrom(row, 1, tail)
    local _, at = struct.unpack(">I5I6", row)
    local most = nil
    for _, own in ipairs(x and valueOf(x, GATES) or NONE) do if not most and nameOf(own) == gate.name then most = own[3] end end
    if code ~= PARKED or odd or at + due > now or not most then return false end
    if gate.jobs + gate.passing >= most then return true end
    gate.size, gate.passing, gate.gone = gate.size - 1, gate.passing + 1, gate.gone + 1
    LINES.opened[#LINES.opened + 1] = {key = key, row = rewritten(row, READY, placed(x, PASSING, gate.name)), line = line, score = string.format("%d", -priority),
      member = six(at + due) .. "\0" .. sub(row, 1, 5) .. key,
      told = {suffix and key .. suffix or sub(key, 2), task, "readied", attempt, false, false, labelOf(gate.name)}}
  end
  return true
end

-- Moves jobs from lines to the ready ones, and the other way round.
local function writeLines()
  local rows, left, ready, lines, gone = {}, {}, {}, {}, {}
  for place, own in ipairs(LINES.opened) do
    rows[#rows + 1] = own.key
    rows[#rows + 1] = own.row
    left[place] = own.line
    ready[place * 2 - 1], ready[place * 2] = own.score, own.member
  end
  for place, own in ipairs(LINES.parked) do
    rows[#rows + 1] = own.key
    rows[#rows + 1] = own.row
    gone[place] = own.member
    lines[place * 2 - 1], lines[place * 2] = "0", own.line
  end
  write("HSET", ${key("rows")}, rows)
  write("ZREM", ${key("lines")}, left)
  write("ZADD", ${key("lines")}, lines)
  write("ZREM", ${key("ready")}, gone)
  write("ZADD", ${key("ready")}, ready)
end
`;
