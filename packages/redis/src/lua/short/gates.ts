import { key } from "./key.js";

/**
 * Gates of jobs that are claimed, and of those whose runs have ended, where nobody waits at them: locks and concurrency keys that have
 * a place, limits that have room. All others are dealt with by the rest of the script.
 */
export const gates: string = String.raw`
-- What is behind the number of a gate, its line, its jobs, those on their way to it and when it opens, if nobody has or wants a ticket.
local ALONE = "\144\144\192"
-- So many starts that are over go with each that comes.
local OVER = 8
-- Gates by name, and what was started under limits by key, as this call finds and changes them.
local gates, logs, NONE = {}, {}, {}

local function gateAt(name)
  local gate = gates[name]
  if gate then return gate end
  gate = {jobs = 0, passing = 0, expected = 0, count = 0, wanted = NONE, freed = NONE}
  local text = call("HGET", ${key("gates")}, name)
  if text then
    local behind, number, size, jobs, passing, opensAt = decodeFrom(text, 5)
    gate.number, gate.jobs, gate.passing, gate.hasLine = number, jobs, passing, size > 0
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

-- How a ready job is claimed that could be as may says, and has a place kept at the gate of this name, or at none; if it is not, at which
-- gate it will wait. Where that is not sure, it is as it will most likely be.
local function howGated(list, now, may, passing)
  for place, own in ipairs(list) do
    local name = nameOf(own)
    local gate = gateAt(name)
    if name == passing then may = OTHERWISE
    else
      local isClosed = gate.hasLine
      if not isClosed then
        local taken = own[1] == "limit" and countStarts(own, now) or gate.jobs + gate.count
        isClosed = taken + gate.passing + gate.expected >= own[3]
      end
      if isClosed then
        if own[5] ~= "wait" then return OTHERWISE end
        gate.hasLine = true
        return NOT, name
      end
      if gate.isOdd or gate.passing + gate.expected > 0 then may = OTHERWISE end
      for before = 1, place - 1 do if nameOf(list[before]) == name then may = OTHERWISE end end
    end
  end
  if may == OTHERWISE then
    for _, own in ipairs(list) do
      local name = nameOf(own)
      if name ~= passing then gateAt(name).expected = gateAt(name).expected + 1 end
    end
  end
  return may
end

-- Holds them, and notes what is to be given back.
local function hold(list, key, id, held)
  for _, own in ipairs(list) do
    if own[1] == "limit" then
      local log = logAt(own[2])
      log.wanted[#log.wanted + 1] = id
      log.span = math.max(log.span, own[4] or 0)
    else
      local name = nameOf(own)
      local gate = gateAt(name)
      if gate.count == 0 then gate.wanted = {} end
      gate.count = gate.count + 1
      gate.wanted[gate.count] = key
      if held then
        held[#held + 1] = key
        held[#held + 1] = name
      end
    end
  end
end

-- Of gates that are given back when a run has ended.
local function namesOf(list)
  local names = {}
  for _, own in ipairs(list) do if own[1] ~= "limit" then names[#names + 1] = nameOf(own) end end
  return names
end

-- Gives back what a run has held, for sure or perhaps; whether nobody waits for it.
local function free(names, key, isSure)
  for _, name in ipairs(names) do
    local gate = gateAt(name)
    if gate.number and not gate.freed[key] then
      if gate.isOdd or gate.hasLine or gate.passing > 0 then return false end
      if isSure or call("ZSCORE", ${key("holds")}, six(gate.number) .. key) then
        if gate.freed == NONE then gate.freed = {} end
        gate.freed[key] = true
        gate.jobs = gate.jobs - 1
      end
    end
  end
  return true
end

local function writeStarts(order, now, fence)
  local starts, over, changed, ends = {}, {}, {}, {}
  for key, log in pairs(logs) do
    local wanted = log.wanted
    if #wanted > 0 then
      if not log.number then
        order = order + 1
        log.number = order
      end
      local prefix = six(log.number)
      local at = prefix .. six(now)
      for _, id in ipairs(wanted) do
        order = order + 1
        starts[#starts + 1] = "0"
        starts[#starts + 1] = at .. six(order) .. six(fence % 281474976710656) .. id
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
  return order
end

-- Answers the order of the queue, which numbers gates.
local function writeGates(order, now, fence)
  local changed, emptied, held, freed = {}, {}, {}, {}
  for name, gate in pairs(gates) do
    local isFreed = false
    for key in pairs(gate.freed) do
      freed[#freed + 1] = six(gate.number) .. key
      isFreed = true
    end
    local jobs = gate.jobs + gate.count
    if jobs == 0 and isFreed then emptied[#emptied + 1] = name
    elseif isFreed or gate.count > 0 then
      if not gate.number then
        order = order + 1
        gate.number = order
      end
      changed[#changed + 1] = name
      changed[#changed + 1] = pack(gate.number, 0, jobs, 0, false) .. ALONE
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
  return writeStarts(order, now, fence)
end

-- What was to be claimed is left to the rest of the script.
local function holdNothing()
  for _, gate in pairs(gates) do gate.count = 0 end
  for _, log in pairs(logs) do log.wanted = {} end
end
`;
