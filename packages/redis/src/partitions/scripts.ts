/** The scripts that only queues in several partitions need; the moves themselves are those of one partition. */
import { pressing, script as scriptOf, type Script } from "../connection/script.js";
import { blocksIn } from "../lua/blocks.js";
import { EPOCH } from "../lua/fences.js";
import { KEY_NAMES } from "../lua/key-names.js";
import { TOGETHER } from "../lua/block.js";
import { always, FEW, made, script } from "../lua/scripts.js";
import { key, upTo } from "../lua/short/key.js";

/** Of the home partition: how many there are. */
export const DIVISION_KEY = "partitions";

/** The key that is declared beside those of every partition. */
export const BESIDE: string = `KEYS[${KEY_NAMES.length + 1}]`;

/** Beside the key: what the home partition was told as it was made. The key is written before that, and may have been lost meanwhile. */
const AS_MADE = `redis.call("HGET", ${key("memory")}, "partitions")`;

/** Says into how many partitions a queue is divided: what it is, or, of a new one, what is asked for. */
export const divide: Script = scriptOf(
  "divide",
  String.raw`-- taskq divide
local known = redis.call("GET", ${BESIDE})
if not known then
  if redis.call("EXISTS", ${key("queue")}) == 1 then known = ${AS_MADE} or "1"
  else known = string.format("%d", cmsgpack.unpack(ARGV[1]).partitions) end
  if known ~= "1" then redis.call("SET", ${BESIDE}, known) end
end
return cmsgpack.pack({partitions = tonumber(known)})
`,
);

/** The same, and changes nothing. */
export const divisionOf: Script = scriptOf(
  "division",
  String.raw`-- taskq division
return cmsgpack.pack({partitions = tonumber(redis.call("GET", ${BESIDE}) or ${AS_MADE} or 1)})
`,
);

/** What a claim would find: the first jobs that are ready, and whether there is anything else to do first. */
export const peek: Script = always(
  upTo(
    "opening",
    "peek",
    String.raw`-- taskq peek
local call, decodeFrom = redis.call, cmsgpack.unpack_limit
local text = call("GET", ${key("queue")})
if not text then return false end
local behind, epoch, phase, fence = decodeFrom(text, 3)
local _, order, paused, later, c1, c2, c3, c4, c5, c6, c7, c8, kept, held, revoked = decodeFrom(text, 14, behind)
local now = tonumber(ARGV[1])
if not now then
  local time = call("TIME")
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local till = string.format("%.17g", now)

-- Lines of tasks that are known, or were resumed: those in them go on.
local function goesOn()
  local stopped = {}
  for _, task in ipairs(held[4]) do stopped[task] = true end
  for _, name in ipairs(held[3]) do
    local kind, task = string.match(name, "^(%a+):(.*)$")
    if kind == "pause" and not stopped[task] then return true end
    if kind == "task" and string.find(ARGV[3], "\n" .. task .. "\n", 1, true) then return true end
  end
  return false
end

local _, opens = unpack(call("ZRANGE", ${key("opening")}, 0, 0, "WITHSCORES"))
local _, due = unpack(call("ZRANGE", ${key("scheduled")}, 0, 0, "WITHSCORES"))
local needs = later or (opens and tonumber(opens) <= now) or (held and goesOn()) or false
local once = {}
for _, own in ipairs(revoked or {}) do
  if own[2] then once[#once + 1] = {own[1], own[3] and string.format("%.17g", own[3]) or ""} end
end
${blocksIn(key("blocks"), key("listing"))}
local wanted, ready, promoted, count = tonumber(ARGV[2]), {}, {}, 0
if phase == "open" and not paused then
  count = call("ZCARD", ${key("ready")}) + call("ZCARD", ${key("blocks")}) * ${TOGETHER}
  if due and tonumber(due) <= now then
    promoted = call("ZRANGEBYSCORE", ${key("scheduled")}, "-inf", till, "WITHSCORES", "LIMIT", 0, math.max(1, wanted))
    count = count + #promoted / 2
  end
  if wanted > 0 then
    ready = call("ZRANGE", ${key("ready")}, 0, wanted - 1, "WITHSCORES")
    local blocks = call("ZRANGE", ${key("blocks")}, 0, math.ceil(wanted / ${TOGETHER}) - 1, "WITHSCORES")
    for place = 1, #blocks, 2 do
      for _, member in ipairs(Blocks.open(blocks[place])) do
        ready[#ready + 1] = member
        ready[#ready + 1] = blocks[place + 1]
      end
    end
  end
end
local nextDue = opens
if due and (not opens or tonumber(due) < tonumber(opens)) then nextDue = due end
-- Fences are to grow from partition to partition, also where one was made anew under a greater epoch.
local least = tonumber(ARGV[4]) or 0
if phase == "open" and least > epoch * ${EPOCH} + fence then
  fence = least - epoch * ${EPOCH}
  call("SET", ${key("queue")}, cmsgpack.pack(epoch, phase, fence) .. string.sub(text, behind + 1))
end
local last = string.format("%.17g", epoch * ${EPOCH} + fence)
return {phase, needs and 1 or 0, held and held[5] > 0 and 1 or 0, count, nextDue or "", once, ready, promoted, last}
`,
  ),
);

/** From now on its fences are greater than this one, which another partition has given, whether or not the server is full. */
export const raise: Script = pressing(
  upTo(
    "rows",
    "raise",
    String.raw`-- taskq raise
local text = redis.call("GET", ${key("queue")})
if not text then return false end
local after, epoch, phase, fence = cmsgpack.unpack_limit(text, 3)
local least = tonumber(ARGV[1])
if least > epoch * ${EPOCH} + fence then
  fence = least - epoch * ${EPOCH}
  redis.call("SET", ${key("queue")}, cmsgpack.pack(epoch, phase, fence) .. string.sub(text, after + 1))
end
return 1
`,
  ),
);

/** Whether rows are there already under these keys; answers those that are, with the rest of their ids. */
export const glance: Script = upTo(
  "rows",
  "glance",
  String.raw`-- taskq glance
local text = redis.call("GET", ${key("queue")})
if not text then return false end
local _, epoch, phase = cmsgpack.unpack_limit(text, 2)
local taken = {}
for from = 3, #ARGV, 4000 do
  local till = math.min(from + 3999, #ARGV)
  for place, row in ipairs(redis.call("HMGET", ${key("rows")}, unpack(ARGV, from, till))) do
    if row then
      local suffix = select(19, cmsgpack.unpack_limit(row, 18, 11))
      taken[#taken + 1] = ARGV[from + place - 1] .. (suffix or "")
    end
  end
end
return {phase, taken}
`,
);

/** Stores flows that a run of another partition has added, and which it is about to settle. */
export const adopt: Script = always(
  script(
    "adopt",
    [],
    String.raw`
return M.run(function()
  M.readQueue()
  M.refuseStill()
  if M.isBehind() then return {behind = true} end
  M.checkFlows(S.request.flows)
  return {flows = M.answersOf(M.storeFlows(S.request.flows))}
end)
`,
  ),
);

/** How many final jobs there are, and when the oldest of them ended. */
export const ages: Script = made(
  "ages",
  FEW,
  String.raw`
-- Those with a retention of their own are in a line beside the others: behind its name is when each ended.
local function endsOf(index, line, after)
  local list, ends = call("ZRANGE", index, 0, S.request.limit - 1, "WITHSCORES"), {}
  for place = 1, #list, 2 do
    for _ = 1, #(M.entriesOf(list[place]) or {1}) do ends[#ends + 1] = tonumber(list[place + 1]) end
    if #ends >= S.request.limit then break end
  end
  for _, member in ipairs(call("ZRANGEBYLEX", K.caps, "[" .. line, "(" .. after, "LIMIT", 0, S.request.limit)) do
    ends[#ends + 1] = struct.unpack(">I6", member, #line + 1)
  end
  return ends
end

return M.look(function()
  M.readQueue()
  local completed, others = M.keptCounts()
  return {completed = completed, others = others, retention = Q.x.retention, completedEnds = endsOf(K.done, "\0\1c", "\0\1d"), otherEnds = endsOf(K.gone, "\0\1o", "\0\1p")}
end)
`,
);

/** Removes so many of the oldest final jobs beside those whose time is over. */
export const trim: Script = always(
  script(
    "trim",
    [],
    String.raw`
return M.run(function()
  M.readQueue()
  M.refuseStill()
  if M.isBehind() then return {behind = true} end
  local kept, completed, others = Q.x.retention, M.keptCounts()
  Q.x.retention = {kept[1], completed - S.request.completed, kept[3], others - S.request.others}
  local removed = M.purgeDue(S.request.limit)
  Q.x.retention = kept
  return {removed = removed}
end)
`,
  ),
);
