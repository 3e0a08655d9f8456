import { key } from "./key.js";
import { lines } from "./lines.js";

/**
 * Gates of jobs that are claimed, and of those whose runs have ended: locks and concurrency keys, and the lines of jobs that wait for
 * them, limits that have room, and unique keys that nobody waits for. All others are dealt with by the rest of the script.
 */
export const gates: string = String.raw`
-- What is behind the number of a gate, its line, its jobs, those on their way to it and when it opens, if nobody has or wants a ticket.
local ALONE = "\144\144\192"
-- So many starts that are over go with each that comes.
local OVER = 8
-- Gates by name, and what was started under limits by key, as this call finds and changes them; the order of the queue, which numbers
-- them; jobs that go on from a line, and those that are parked.
local gates, logs, LINES, NONE = {}, {}, {opened = {}, parked = {}}, {}
-- Unique keys that are free again.
local uniques = {}
-- What the line of a unique key begins with.
local UNIQUE_LINE = "unique:"

local function nextOrder()
  LINES.order = LINES.order + 1
  return LINES.order
end

local function gateAt(name)
  local gate = gates[name]
  if gate then return gate end
  gate = {name = name, size = 0, jobs = 0, passing = 0, gone = 0, freed = NONE, expected = 0, count = 0, wanted = NONE, crossed = 0, parked = 0}
  local text = call("HGET", ${key("gates")}, name)
  if text then
    local behind, number, size, jobs, passing, opensAt = decodeFrom(text, 5)
    gate.number, gate.size, gate.jobs, gate.passing = number, size, jobs, passing
    gate.isOdd = opensAt or sub(text, behind + 1) ~= ALONE
  end
  gates[name] = gate
  return gate
end

local function logAt(key)
  local log = logs[key]
  if log then return log end
  log = {span = 0, wanted = {}}
  local text = call("HGET", ${key("limits")}, key)
  if text then
    local _, number, span = decodeFrom(text, 2)
    log.number, log.span, log.text = number, span, text
  end
  logs[key] = log
  return log
end

-- A gate of a row: its kind, its key, how many it lets in, within how many milliseconds, and what comes of whoever finds it closed.
local function nameOf(own)
  return own[1] .. ":" .. own[2]
end

local function countStarts(own, now)
  local log, per = logAt(own[2]), own[4] or 0
  local started = #log.wanted
  if log.number then
    local prefix = six(log.number)
    started = started + call("ZLEXCOUNT", ${key("starts")}, "[" .. prefix .. six(now - per + 1), "(" .. prefix .. six(now + per))
  end
  return started
end

${lines}
-- How a ready job is claimed that could be as may says, and has a place kept at the gate of this name, or at none; if it is not, at which
-- gate it will wait, and whether that is sure. Where it is not, it is as it will most likely be.
local function howGated(list, now, may, passing)
  local isSure, isKept = may == MAY, not passing
  for place, own in ipairs(list) do
    local name = nameOf(own)
    local gate, isOwn = gateAt(name), name == passing
    isKept = isKept or isOwn
    local isClosed = not passing and (gate.hasLine or gate.size + gate.parked > 0)
    if not isClosed then
      local taken = own[1] == "limit" and countStarts(own, now) or gate.jobs + gate.count
      if not passing then taken = taken + gate.passing - gate.crossed + gate.expected end
      isClosed = taken >= own[3]
    end
    if gate.isOdd or gate.hasLine or gate.expected > 0 then isSure = false end
    if isClosed then
      if own[5] ~= "wait" then return OTHERWISE end
      isSure = isSure and not passing and own[1] ~= "limit"
      if not isSure then gate.hasLine = true end
      return NOT, name, isSure
    end
    -- Who begins under a limit says when the next in line may.
    if gate.isOdd or gate.hasLine or gate.expected > 0 or (own[1] == "limit" and gate.size > 0) then may = OTHERWISE end
    for before = 1, place - 1 do
      if nameOf(list[before]) == name then may, isSure = OTHERWISE, false end
    end
  end
  if not isKept or (passing and not gateAt(passing).number) then may = OTHERWISE end
  if may == OTHERWISE then
    for _, own in ipairs(list) do
      local name = nameOf(own)
      if name ~= passing then gateAt(name).expected = gateAt(name).expected + 1 end
    end
  end
  return may
end

-- Whether more hangs on a row that has this besides than is given back here, and its unique key if that is given back.
local function hangingOn(x)
  local last = x[#x - 1] or 0
  if goesAtEnd(last, x[#x]) then return false, x[#x][1] end
  return last > GATES, nil
end

-- Holds them, and notes what is to be given back.
local function hold(list, unique, key, id, held, passing)
  if unique then
    held[#held + 1] = key
    held[#held + 1] = UNIQUE_LINE .. unique
  end
  for _, own in ipairs(list or NONE) do
    local name = nameOf(own)
    if own[1] == "limit" then
      local log = logAt(own[2])
      log.wanted[#log.wanted + 1] = id
      log.span = math.max(log.span, own[4] or 0)
    else
      local gate = gateAt(name)
      if gate.count == 0 then gate.wanted = {} end
      gate.count = gate.count + 1
      gate.wanted[gate.count] = key
      if held then
        held[#held + 1] = key
        held[#held + 1] = name
      end
    end
    if name == passing then gateAt(name).crossed = gateAt(name).crossed + 1 end
  end
end

-- Names of gates, and of the line of a unique key, that are given back when a run has ended; nothing where more hangs on a row that has
-- this besides.
local function heldBy(x)
  local names = NONE
  for place = 1, x and #x or 0, 2 do
    local number, value = x[place], x[place + 1]
    if number == GATES then
      names = {}
      for _, own in ipairs(value) do if own[1] ~= "limit" then names[#names + 1] = nameOf(own) end end
    elseif goesAtEnd(number, value) then
      if names == NONE then names = {} end
      names[#names + 1] = UNIQUE_LINE .. value[1]
    elseif number > 5 then return nil end
  end
  return names
end

-- Gives back the unique key of this line, if the job has it; whether nobody waits for it.
local function freeUnique(name, id)
  local unique = sub(name, #UNIQUE_LINE + 1)
  local text = uniques[unique] == nil and call("HGET", ${key("uniques")}, unique)
  if not text or cmsgpack.unpack(text) ~= id then return true end
  if call("HEXISTS", ${key("gates")}, name) == 1 then return false end
  uniques[unique] = true
  return true
end

-- Gives back what a run has held, for sure or perhaps; whether all that follows from it is known here.
local function free(names, key, id, isSure, now)
  for _, name in ipairs(names) do
    local isUnique = sub(name, 1, #UNIQUE_LINE) == UNIQUE_LINE
    if isUnique and not freeUnique(name, id) then return false end
    local gate = not isUnique and gateAt(name)
    if gate and gate.number and not gate.freed[key] then
      if gate.isOdd then return false end
      if isSure or call("ZSCORE", ${key("holds")}, six(gate.number) .. key) then
        if gate.freed == NONE then gate.freed = {} end
        gate.freed[key] = true
        gate.jobs = gate.jobs - 1
        if not openLine(gate, now) then return false end
      end
    end
  end
  return true
end

local function writeStarts(now, fence)
  local starts, over, changed, ends = {}, {}, {}, {}
  for key, log in pairs(logs) do
    local wanted = log.wanted
    if #wanted > 0 then
      log.number = log.number or nextOrder()
      local prefix = six(log.number)
      local at = prefix .. six(now)
      for _, id in ipairs(wanted) do
        starts[#starts + 1] = "0"
        starts[#starts + 1] = at .. six(nextOrder()) .. six(fence % 281474976710656) .. id
      end
      for _, member in ipairs(call("ZRANGEBYLEX", ${key("starts")}, "[" .. prefix, "(" .. prefix .. six(now - log.span + 1), "LIMIT", 0, OVER * #wanted)) do
        over[#over + 1] = member
      end
      local text = pack(log.number, log.span)
      if text ~= log.text then
        changed[#changed + 1] = key
        changed[#changed + 1] = text
      end
      ends[#ends + 1] = string.format("%.17g", now + log.span)
      ends[#ends + 1] = "l:" .. key
    end
  end
  write("ZREM", ${key("starts")}, over)
  write("ZADD", ${key("starts")}, starts)
  write("HSET", ${key("limits")}, changed)
  write("ZADD", ${key("expiry")}, ends)
end

local function writeGates(now, fence)
  local gone = {}
  for unique in pairs(uniques) do gone[#gone + 1] = unique end
  write("HDEL", ${key("uniques")}, gone)
  local changed, emptied, held, freed = {}, {}, {}, {}
  for name, gate in pairs(gates) do
    local isFreed = false
    for key in pairs(gate.freed) do
      freed[#freed + 1] = six(gate.number) .. key
      isFreed = true
    end
    if isFreed or gate.count + gate.crossed + gate.parked > 0 then
      local size, jobs, passing = gate.size + gate.parked, gate.jobs + gate.count, gate.passing - gate.crossed
      gate.number = gate.number or nextOrder()
      if size + jobs + passing == 0 then emptied[#emptied + 1] = name
      else
        changed[#changed + 1] = name
        changed[#changed + 1] = pack(gate.number, size, jobs, passing, false) .. ALONE
      end
      for place = 1, gate.count do
        held[#held + 1] = "0"
        held[#held + 1] = six(gate.number) .. gate.wanted[place]
      end
    end
  end
  write("HSET", ${key("gates")}, changed)
  write("HDEL", ${key("gates")}, emptied)
  write("ZREM", ${key("holds")}, freed)
  write("ZADD", ${key("holds")}, held)
  writeLines()
  writeStarts(now, fence)
end

-- What was to be claimed is left to the rest of the script.
local function holdNothing()
  for _, gate in pairs(gates) do gate.count, gate.crossed, gate.parked = 0, 0, 0 end
  LINES.parked = {}
  for _, log in pairs(logs) do log.wanted = {} end
end
`;
