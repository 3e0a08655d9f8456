import { BLOCK } from "../listing.js";
import { key } from "./key.js";

/**
 * Storing jobs that belong to no flow, hold no key and were given no id: by far the most. Answers of each whether it is ready or
 * scheduled, then whether a few processes heard of them.
 */
export const add: string = String.raw`
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

-- A hint of one entry: there may be something ready. Answers whether a few processes heard of it.
local function hint()
  local heard = ARGV[2] ~= "" and call(ARGV[2], ${key("wake")}, "\129\165ready\195") or 0
  return heard > 0 and heard <= 8 and "h" or ""
end

local function scoreOf(priority)
  return priority == 0 and "0" or string.format("%d", -priority)
end

-- A list of five is one job alone, and most calls store one: without a table.
if string.byte(ARGV[3]) == 149 then
  local _, priority, due, _, key, rest = decode(ARGV[3], 5, 1)
  order = order + 1
  local own, isDue = bytes(">I5", order), due <= now
  local row = own .. bytes(">I6", now) .. pack(due - now, isDue and 2 or 11) .. rest
  -- From here on it writes.
  if call("HSETNX", ${key("rows")}, key, row) == 0 then return 0 end
  if ARGV[4] ~= "" then call("HSET", ${key("bodies")}, unpack(cmsgpack.unpack(ARGV[4]))) end
  if isDue then call("ZADD", ${key("ready")}, scoreOf(priority), bytes(">I6", math.max(0, due)) .. "\0" .. own .. key)
  else call("ZADD", ${key("scheduled")}, string.format("%.17g", due), bytes(">I4", 2147483647 - priority) .. "\0" .. own .. key) end
  call("XADD", ${key("listing")}, string.format("%d-1", order), "", key)
  call("SET", ${key("queue")}, pack(epoch, phase, fence, order) .. string.sub(text, after + 1))
  return (isDue and "r" or "s") .. hint()
end

local function inCuts(command, name, list, from, to)
  for first = from, to, 4000 do call(command, name, unpack(list, first, math.min(first + 3999, to))) end
end

-- Of those that are alike priority, due and how many they are, then the key of each and the rest of its row.
local keys, list, at = {}, cmsgpack.unpack(ARGV[3]), 1
while list[at] do
  local past = at + 3 + list[at + 2] * 2
  for place = at + 3, past - 1, 2 do keys[#keys + 1] = list[place] end
  at = past
end
local count = #keys
for from = 1, count, 4000 do
  local known = call("HMGET", ${key("rows")}, unpack(keys, from, math.min(from + 3999, count)))
  for place = 1, #known do if known[place] then return 0 end end
end

-- Many fill whole blocks of the listing: from a first one that nothing else is in.
local first = order + 1
if count >= ${BLOCK} then first = math.ceil(first / ${BLOCK}) * ${BLOCK} end

-- From here on it writes. Bodies that stand apart come behind their fields.
if ARGV[4] ~= "" then
  local apart = cmsgpack.unpack(ARGV[4])
  inCuts("HSET", ${key("bodies")}, apart, 1, #apart)
end
local number, stamp, ready, scheduled, states = first, bytes(">I6", now), {}, {}, ""
at = 1
while list[at] do
  local priority, due, past = list[at], list[at + 1], at + 3 + list[at + 2] * 2
  local line, code, score, before = ready, 2, scoreOf(priority), nil
  if due <= now then before = bytes(">I6", math.max(0, due)) .. "\0"
  else
    line, code, score = scheduled, 11, string.format("%.17g", due)
    before = bytes(">I4", 2147483647 - priority) .. "\0"
  end
  local head, size = stamp .. pack(due - now, code), #line
  for place = at + 3, past - 1, 2 do
    local own = bytes(">I5", number)
    line[size + 1] = score
    line[size + 2] = before .. own .. list[place]
    list[place + 1] = own .. head .. list[place + 1]
    size, number = size + 2, number + 1
  end
  inCuts("HSET", ${key("rows")}, list, at + 3, past - 1)
  states = states .. string.rep(code == 2 and "r" or "s", list[at + 2])
  at = past
end
inCuts("ZADD", ${key("ready")}, ready, 1, #ready)
inCuts("ZADD", ${key("scheduled")}, scheduled, 1, #scheduled)
if count < ${BLOCK} then
  for place, key in ipairs(keys) do call("XADD", ${key("listing")}, first + place - 1 .. "-1", "", key) end
else
  local sizes = {}
  for from = 1, count, ${BLOCK} do
    local to = math.min(from + ${BLOCK - 1}, count)
    local start = first + from - 1
    call("XADD", ${key("listing")}, start .. "-1", "", table.concat(keys, "", from, to))
    sizes[#sizes + 1] = start / ${BLOCK}
    sizes[#sizes + 1] = (to - from + 1) * ${BLOCK * 2 + 1}
  end
  inCuts("HSET", ${key("listed")}, sizes, 1, #sizes)
end
call("SET", ${key("queue")}, pack(epoch, phase, fence, first + count - 1) .. string.sub(text, after + 1))
return states .. hint()
`;
