import { BLOCK, TOGETHER } from "../block.js";
import { numbers } from "../numbers.js";
import { cuts } from "./cuts.js";
import { key } from "./key.js";

/**
 * The beginning of what stores jobs that are alone: ARGV are now, command to publish with, jobs, bodies that stand apart, each behind
 * its field. Answers 0 where it has done nothing.
 */
export const beginning: string = String.raw`
local call, bytes, decode, pack = redis.call, struct.pack, cmsgpack.unpack_limit, cmsgpack.pack
local text = call("GET", ${key("queue")})
if not text then return 0 end
local after, epoch, phase, fence, order = decode(text, 4)
local _, paused, later = decode(text, 2, after)
if phase ~= "open" or later then return 0 end

local now = tonumber(ARGV[1])
if not now then
  local time = call("TIME")
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A hint of one entry: there may be something ready. Answers whether a few processes heard of it, or many.
local function hint()
  local heard = ARGV[2] ~= "" and call(ARGV[2], ${key("wake")}, "\129\165ready\195") or 0
  return heard == 0 and "" or heard <= 8 and "h" or "m"
end

${numbers}
-- Of jobs alike priority and due: the code of their state, their score, and what their member in line begins with.
local function lineFor(priority, due)
  if due > now then return 11, string.format("%.17g", due), four(priority) .. "\0" end
  return 2, priority == 0 and "0" or string.format("%d", -priority), six(due) .. "\0"
end
`;

/** The end of it, for lists. */
export const storing: string = String.raw`
${cuts}
-- The keys of jobs, behind others: of those that are alike priority, due and how many they are, then the key of each and the rest of
-- its row.
local function keysOf(list, keys)
  local at = 1
  while list[at] do
    local past = at + 3 + list[at + 2] * 2
    for place = at + 3, past - 1, 2 do keys[#keys + 1] = list[place] end
    at = past
  end
  return keys
end

-- Writes rows and lines of such jobs; their orders are those given, or follow one another from a first one, and lines may have begun. In blocks
-- of the listing, many stand together. Answers whether each is ready or scheduled.
local function writeJobs(list, first, orders, ready, scheduled, isInBlocks)
  local number, stamp, states, at, inBlocks, till = 0, six(now), "", 1, {}, 0
  while list[at] do
    local due, past = list[at + 1], at + 3 + list[at + 2] * 2
    local code, score, before = lineFor(list[at], due)
    local line = code == 2 and ready or scheduled
    local head, size = stamp .. pack(due - now, code), #line
    for place = at + 3, past - 1, 2 do
      local own = bytes(">I5", orders and orders[number + 1] or first + number)
      list[place + 1] = own .. head .. list[place + 1]
      if isInBlocks and code == 2 and number % ${TOGETHER} == 0 and past - place >= ${TOGETHER * 2} then
        till = number + ${TOGETHER}
        inBlocks[#inBlocks + 1] = score
        inBlocks[#inBlocks + 1] = before .. own
      end
      if number >= till then
        line[size + 1] = score
        line[size + 2] = before .. own .. list[place]
        size = size + 2
      end
      number = number + 1
    end
    write("HSET", ${key("rows")}, list, at + 3, past - 1)
    states = states .. string.rep(code == 2 and "r" or "s", list[at + 2])
    at = past
  end
  write("ZADD", ${key("ready")}, ready)
  write("ZADD", ${key("blocks")}, inBlocks)
  write("ZADD", ${key("scheduled")}, scheduled)
  return states
end

-- The same for jobs with these keys, one after the other in the listing too; whether the keys are of one length.
local function store(list, keys, areAlike)
  local count, first = #keys, order + 1
  if count == 0 then return "" end
  -- Many fill whole blocks of the listing: from a first one that nothing else is in.
  local inBlocks = areAlike and count >= ${BLOCK}
  if inBlocks then first = math.ceil(first / ${BLOCK}) * ${BLOCK} end
  -- The listing refuses orders that it has.
  if inBlocks then
    local sizes = {}
    for from = 1, count, ${BLOCK} do
      local to = math.min(from + ${BLOCK - 1}, count)
      local start = first + from - 1
      call("XADD", ${key("listing")}, start .. "-1", "", table.concat(keys, "", from, to))
      sizes[#sizes + 1] = start / ${BLOCK}
      sizes[#sizes + 1] = (to - from + 1) * ${BLOCK * 2 + 1}
    end
    write("HSET", ${key("listed")}, sizes)
  else
    for place, key in ipairs(keys) do call("XADD", ${key("listing")}, first + place - 1 .. "-1", "", key) end
  end
  local states = writeJobs(list, first, nil, {}, {}, inBlocks)
  call("SET", ${key("queue")}, pack(epoch, phase, fence, first + count - 1) .. string.sub(text, after + 1))
  return states
end
`;
