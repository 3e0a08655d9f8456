import { key } from "./key.js";

/** Settling completed jobs that belong to nothing, and claiming others like them: by far the most steps. */
export const step: string = String.raw`
-- now, command to publish with, owner, request, begin, ahead, lease, tasks; packed: ids, begun, what is seldom; then of each
-- settlement: id, fence, startedAt, kind, bytes or not, and what else there is.
local SETTLED = 12

local function unpacked(text)
  if text ~= "" then return cmsgpack.unpack(text) end
end

-- The same request as the rest of the script reads it.
function REQUEST()
  local settled = {}
  for at = SETTLED, #ARGV, 7 do
    local one = unpacked(ARGV[at + 6]) or {}
    one.id, one.fence, one.startedAt, one.kind = ARGV[at], tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]), ARGV[at + 3]
    if ARGV[at + 4] == "1" then one.bytes = ARGV[at + 5] end
    settled[#settled + 1] = one
  end
  local tasks, claim = {}, nil
  for task in string.gmatch(ARGV[8], "[^\n]+") do tasks[#tasks + 1] = task end
  if ARGV[5] ~= "" then
    claim = {begin = tonumber(ARGV[5]), ahead = tonumber(ARGV[6]), lease = tonumber(ARGV[7]), ids = unpacked(ARGV[9])}
  end
  local seldom = unpacked(ARGV[11]) or {}
  return {now = tonumber(ARGV[1]), queue = string.match(KEYS[1], "{(.-)}"), owner = ARGV[3], request = tonumber(ARGV[4]), tasks = tasks, claim = claim, settled = settled,
    begun = unpacked(ARGV[10]) or {}, stats = seldom.stats, atOnce = seldom.atOnce}
end

local ACTIVE, COMPLETED, INLINE, PURGED = 4, 5, 512, 100
local call, pack, decodeFrom, sub = redis.call, cmsgpack.pack, cmsgpack.unpack_limit, string.sub

-- What else a row has, by number: until when it may begin, at most once, named, reaped, attempts; then what is dealt with elsewhere.
local function isPlain(x)
  return not x or x[#x - 1] <= 5
end

local function mayBeClaimed(x, now, ahead)
  for place = 1, #x, 2 do
    local number = x[place]
    if number > 5 or (number == 1 and x[place + 1] <= now) or (ahead and (number == 2 or number == 4)) then return false end
  end
  return true
end

local function keyOf(id)
  if #id == 22 and string.byte(id, 10) <= 49 and string.find(id, "^[0-3][0-9a-v]+$") then return sub(id, 1, 14) end
  return "!" .. id
end

local function write(command, key, list)
  if #list == 0 then return end
  for from = 1, #list, 4000 do call(command, key, unpack(list, from, math.min(from + 3999, #list))) end
end

local function many(key, fields)
  local found = {}
  for from = 1, #fields, 4000 do
    local to = math.min(from + 3999, #fields)
    local texts = call("HMGET", key, unpack(fields, from, to))
    for place = from, to do found[place] = texts[place - from + 1] end
  end
  return found
end

-- The tasks that are paused; nil if there is more to look at: what was withheld, a schedule's line, a line that may go on.
local function pausedTasks(held)
  if held[1] + held[2] > 0 then return nil end
  local paused = {}
  for _, task in ipairs(held[4]) do paused[task] = true end
  for _, name in ipairs(held[3]) do
    local kind, task = string.match(name, "^(%a+):(.*)$")
    if kind == "pause" then
      if not paused[task] then return nil end
    elseif string.find(ARGV[8], "\n" .. task .. "\n", 1, true) then return nil end
  end
  return paused
end

-- Answers nil, having changed nothing, when it meets anything else.
local function short()
  if ARGV[9] ~= "" or ARGV[11] ~= "" then return nil end
  local text = call("GET", KEYS[1])
  if not text then return nil end
  local behind, epoch, phase, fence = decodeFrom(text, 3)
  local behindAll, order, paused, later, c1, c2, completed, c4, c5, c6, c7, c8, kept, held, revoked, moving =
    decodeFrom(text, 15, behind)
  if phase ~= "open" or later or paused or revoked then return nil end
  local resting = held and pausedTasks(held)
  if held and not resting then return nil end
  if call("EXISTS", ${key("flagged")}) == 1 then return nil end

  local now = tonumber(ARGV[1])
  if not now then
    local time = call("TIME")
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end

  -- Runs that have ended.
  local keys, places = {}, {}
  for at = SETTLED, #ARGV, 7 do
    if ARGV[at + 3] ~= "completed" or ARGV[at + 6] ~= "" then return nil end
    local key = keyOf(ARGV[at])
    if places[key] then return nil end
    keys[#keys + 1] = key
    places[key] = at
  end
  local settled = #keys
  local begun = ARGV[10] ~= "" and cmsgpack.unpack(ARGV[10]) or {}
  for _, run in ipairs(begun) do
    local key = keyOf(run[1])
    if not places[key] then
      keys[#keys + 1] = key
      places[key] = run
    end
  end
  local texts = many(KEYS[2], keys)
  local rows, apart, done, ended, ids = {}, {}, {}, {}, {}
  for place, key in ipairs(keys) do
    local row = texts[place]
    if not row then return nil end
    local _, due, code, suffix, task, priority, attempt, failures, crashes, own, last, body, bytes, started, finished, reason, owner, run, more =
      decodeFrom(row, 18, 11)
    local _, at = struct.unpack(">I5I6", row)
    local asked = places[key]
    local id = suffix and key .. suffix or sub(key, 2)
    if place <= settled then
      if code ~= ACTIVE or own ~= tonumber(ARGV[asked + 1]) or id ~= ARGV[asked] or run[6] or not isPlain(more) then return nil end
      started = tonumber(ARGV[asked + 2]) - at
      if ARGV[asked + 4] == "1" then bytes = ARGV[asked + 5] end
      if bytes and #bytes > INLINE then
        apart[#apart + 1] = "r:" .. key
        apart[#apart + 1] = bytes
        bytes = #bytes
      end
      code, last, run, finished = COMPLETED, own, nil, now - at
      done[#done + 1] = now
      done[#done + 1] = key
      ended[#ended + 1] = key
      ids[#ids + 1] = id
    else
      if code ~= ACTIVE or own ~= asked[2] or id ~= asked[1] or not isPlain(more) then return nil end
      if not run[3] then run[3], run[4], started = true, now - at, now - at end
    end
    rows[#rows + 1] = key
    rows[#rows + 1] = sub(row, 1, 11) .. pack(due, code, suffix, task, priority, attempt, failures, crashes, own, last, body, bytes, started,
      finished, reason, owner, run, more)
  end
  completed = completed + settled

  -- What is there to claim.
  local _, opens = unpack(call("ZRANGE", ${key("opening")}, 0, 0, "WITHSCORES"))
  if opens and tonumber(opens) <= now then return nil end
  local _, due = unpack(call("ZRANGE", ${key("scheduled")}, 0, 0, "WITHSCORES"))
  if due and tonumber(due) <= now then return nil end
  local begin, ahead, lease = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
  local claimed, taken, leases, more, owners = {}, {}, {}, false, nil
  local head = call("ZRANGE", ${key("ready")}, 0, begin and begin + ahead or 0)
  if begin then
    local wanted = begin + ahead
    local known = call("HGET", ${key("owners")}, ARGV[3])
    local _, last = decodeFrom(known or "\255", 1)
    if known and tonumber(ARGV[4]) <= last then return nil end
    more = #head > wanted
    head[wanted + 1] = nil
    local found = {}
    for place, member in ipairs(head) do found[place] = sub(member, 13) end
    local own = epoch * 1099511627776 + fence + 1
    for place, row in ipairs(many(KEYS[2], found)) do
      if not row then return nil end
      local _, dueIn, code, suffix, task, priority, attempt, failures, crashes, _, last, body, bytes, started, finished, reason, _, _, rest =
        decodeFrom(row, 18, 11)
      if rest and not mayBeClaimed(rest, now, place > begin) then return nil end
      if resting and resting[task] then return nil end
      if not string.find(ARGV[8], "\n" .. task .. "\n", 1, true) then return nil end
      local _, at = struct.unpack(">I5I6", row)
      local begins = place <= begin
      local since = begins and now - at or nil
      local text = sub(row, 1, 11) .. pack(dueIn, ACTIVE, suffix, task, priority, attempt + 1, failures, crashes, own, last, body, bytes, since,
        finished, reason, ARGV[3], {lease, now - at, begins, since or false, false, false, false}, rest)
      local key = found[place]
      rows[#rows + 1] = key
      rows[#rows + 1] = text
      leases[#leases + 1] = now + lease
      leases[#leases + 1] = key
      claimed[#claimed + 1] = key
      claimed[#claimed + 1] = text
      claimed[#claimed + 1] = type(body) == "number" and call("HGET", ${key("bodies")}, "b:" .. key) or ""
    end
    if #head > 0 then
      fence = fence + 1
      taken = head
      owners = pack(tonumber(ARGV[4]), own, found, now)
      if not known then apart.owner = true end
    end
  else more = #head > 0 end

  -- What need not be kept any longer.
  local over = completed - kept[2]
  local oldest = nil
  if over <= 0 then
    local _, at = unpack(call("ZRANGE", ${key("done")}, 0, 0, "WITHSCORES"))
    oldest = at and tonumber(at) <= now - kept[1]
  end
  local gone, lines, bodies = {}, {}, {}
  if over > 0 or oldest then
    local old = over > 0 and call("ZRANGE", ${key("done")}, 0, math.min(over, PURGED) - 1)
      or call("ZRANGEBYSCORE", ${key("done")}, "-inf", string.format("%.17g", now - kept[1]), "LIMIT", 0, PURGED)
    for place, row in ipairs(many(KEYS[2], old)) do
      if not row then return nil end
      local _, _, code, suffix, _, _, _, _, _, _, _, body, bytes, _, _, _, _, _, rest = decodeFrom(row, 18, 11)
      if code ~= COMPLETED or rest then return nil end
      gone[place] = old[place]
      lines[place] = string.format("%d-1", struct.unpack(">I5", row))
      if type(body) == "number" then bodies[#bodies + 1] = "b:" .. old[place] end
      if type(bytes) == "number" then bodies[#bodies + 1] = "r:" .. old[place] end
    end
  end
  local others = c4 + c5 + c6 + c7 + c8
  if others > kept[4] then return nil end
  for _, key in ipairs({${key("gone")}, ${key("kept")}, ${key("expiry")}}) do
    local _, at = unpack(call("ZRANGE", key, 0, 0, "WITHSCORES"))
    if at and tonumber(at) <= now - (key == ${key("gone")} and kept[3] or 0) then return nil end
  end

  -- From here on it writes.
  if #rows > 0 or #gone > 0 then
    if #apart > 0 then write("HSET", ${key("bodies")}, apart) end
    write("HSET", KEYS[2], rows)
    write("ZREM", ${key("active")}, ended)
    write("ZADD", ${key("done")}, done)
    if #gone > 0 then
      write("ZREM", ${key("done")}, gone)
      write("HDEL", KEYS[2], gone)
      write("XDEL", ${key("listing")}, lines)
      write("HDEL", ${key("bodies")}, bodies)
      completed = completed - #gone
    end
    if #taken > 0 then
      write("ZREM", ${key("ready")}, taken)
      write("ZADD", ${key("active")}, leases)
      call("HSET", ${key("owners")}, ARGV[3], owners)
      if apart.owner then call("ZADD", ${key("expiry")}, now + 604800000, "o:" .. ARGV[3]) end
    end
    local own = pack(epoch, phase, fence, order, paused, later, c1, c2, completed, c4, c5, c6, c7, c8, kept, held, revoked, moving)
    if own ~= text then call("SET", KEYS[1], own) end
    if settled > 0 and ARGV[2] ~= "" then
      call(ARGV[2], ${key("wake")}, pack({final = settled <= 100 and ids or true}))
    end
  end
  local nextDue = opens
  if due and (not opens or tonumber(due) < tonumber(opens)) then nextDue = due end
  return {more and 1 or 0, nextDue or "", string.format("%.17g", now), claimed}
end

return short() or general()
`;
