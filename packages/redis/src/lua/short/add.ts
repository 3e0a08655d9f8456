import { key } from "./key.js";

/** Storing jobs that belong to no flow, hold no key and were given no id: by far the most. */
export const add: string = String.raw`
local call = redis.call
local text = call("GET", ${key("queue")})
if not text then return 0 end
local after, epoch, phase, fence, order = cmsgpack.unpack_limit(text, 4)
local _, paused, later = cmsgpack.unpack_limit(text, 2, after)
if phase ~= "open" or later then return 0 end

local now = tonumber(ARGV[1])
if not now then
  local time = call("TIME")
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Of each job: key, priority, due, the rest of its row, and a body that stands apart, or nothing.
local keys, list = {}, cmsgpack.unpack(ARGV[3])
for place = 1, #list, 5 do keys[#keys + 1] = list[place] end
for from = 1, #keys, 4000 do
  local known = call("HMGET", ${key("rows")}, unpack(keys, from, math.min(from + 3999, #keys)))
  for place = 1, #known do if known[place] then return 0 end end
end

local rows, ready, scheduled, apart, states = {}, {}, {}, {}, {}
for place, key in ipairs(keys) do
  local at = place * 5 - 4
  local priority, due, body = list[at + 1], list[at + 2], list[at + 4]
  local number = struct.pack(">I6", order + place)
  local code, line, size = 2, ready, #ready
  if due <= now then
    line[size + 1] = priority == 0 and "0" or -priority
    line[size + 2] = struct.pack(">I6", math.max(0, due)) .. number .. key
  else
    code, line = 11, scheduled
    size = #line
    line[size + 1] = string.format("%.17g", due)
    line[size + 2] = struct.pack(">I4", 2147483647 - priority) .. number .. key
  end
  states[place] = code == 2 and "r" or "s"
  size = #rows
  rows[size + 1] = key
  rows[size + 2] = struct.pack(">I5I6", order + place, now) .. cmsgpack.pack(due - now, code) .. list[at + 3]
  if body ~= "" then
    apart[#apart + 1] = "b:" .. key
    apart[#apart + 1] = body
  end
end

local function write(command, name, list)
  for from = 1, #list, 4000 do call(command, name, unpack(list, from, math.min(from + 3999, #list))) end
end

write("HSET", ${key("bodies")}, apart)
write("HSET", ${key("rows")}, rows)
write("ZADD", ${key("ready")}, ready)
write("ZADD", ${key("scheduled")}, scheduled)
for place, key in ipairs(keys) do call("XADD", ${key("listing")}, order + place .. "-1", "", key) end
call("SET", ${key("queue")}, cmsgpack.pack(epoch, phase, fence, order + #keys) .. string.sub(text, after + 1))
-- A hint of one entry: there may be something ready.
local heard = ARGV[2] ~= "" and call(ARGV[2], ${key("wake")}, "\129\165ready\195") or 0
-- Of each job, and whether a few processes heard of them.
return table.concat(states) .. (heard > 0 and heard <= 8 and "h" or "")
`;
