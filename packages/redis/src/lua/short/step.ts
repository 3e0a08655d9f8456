import { CALL_BYTES, CLAIM_PASSES, CLAIM_SLACK } from "@taskq/core/storage";
import { EPOCH, fenceBefore } from "../fences.js";
import { appendEvents } from "../feed.js";
import { unlist } from "../listing.js";
import { numbers } from "../numbers.js";
import { alike } from "./alike.js";
import { claims } from "./claims.js";
import { cuts } from "./cuts.js";
import { front } from "./front.js";
import { gates } from "./gates.js";
import { key } from "./key.js";

/**
 * Settling jobs that belong to nothing and completed, or that nobody could read, and claiming others like them: by far the
 * most steps.
 */
export const step: string = String.raw`
local READY, PARKED, ACTIVE, COMPLETED, QUARANTINED, INLINE, PURGED, TOGETHER, TOLD, LONG_TEXT, PROMOTED = 2, 3, 4, 5, 10, 512, 100, 128, 16384, 65536, 1000
-- Fewer that end in one step are written anew, which takes less memory than how they ended beside them, each in an entry of its own.
local FEW = 4
-- So many more are looked at than are wanted, and passed over than are claimed ahead; so many are looked at first, and so many of them
-- must go the short way.
local SLACK, PASSES, FIRST, WORTH = ${CLAIM_SLACK}, ${CLAIM_PASSES}, 16, 4
-- With so many bytes of messages that stand apart a claim is full, whatever is wanted.
local MOST_BYTES = ${CALL_BYTES}
-- Of a row that completed: it may be as it was when it was ready, or scheduled.
local ENDED = {[2] = true, [5] = true, [11] = true}
local byte, char, find = string.byte, string.char, string.find
local call, pack, decodeFrom, sub = redis.call, cmsgpack.pack, cmsgpack.unpack_limit, string.sub

-- What else a row has, by number: until when it may begin, at most once, named, reaped, attempts; then what is dealt with elsewhere.
local function isPlain(x)
  return not x or x[#x - 1] <= 5
end

-- What few rows have, by number: gates, a unique key (this long), how it waits for them.
local GATES, UNIQUE, FINAL, GATE, LINE, PASSING, PARK = 6, 7, "final", 15, 16, 17, 18

-- Whether it is a unique key that goes with the end of its job.
local function goesAtEnd(number, value)
  return number == UNIQUE and value[2] == FINAL
end

-- What a row of a completed job may have whose removal leaves nothing behind: until when it might begin, once, reaped, gates, a unique
-- key until it has ended.
local LEAVES = {[1] = true, [2] = true, [4] = true, [6] = true}
local function leavesNothing(x)
  for place = 1, x and #x or 0, 2 do
    if not LEAVES[x[place]] and not goesAtEnd(x[place], x[place + 1]) then return false end
  end
  return true
end

-- What hangs on a job, and is looked at when its run has ended: how long it is kept, what came before it, what follows it, its flow.
-- Whoever claims it leaves that as it is, and a unique key that it has until then.
local HANGS = {[8] = true, [9] = true, [11] = true, [19] = true}
-- Jobs that may run only once, that were reaped, or that others wait behind are not held without running.
local NOT_AHEAD = {[2] = true, [4] = true, [6] = true}
-- Whether a row is claimed as it is, left for somebody who begins it at once, claimed by the rest of the script, or not claimed: that then
-- ends it, or puts it where it waits.
local MAY, PASSED, OTHERWISE, NOT = 1, 2, 3, 4
local function howClaimed(x, now, ahead)
  local may, gated, passing = MAY, nil, nil
  for place = 1, #x, 2 do
    local number = x[place]
    if ahead and NOT_AHEAD[number] then return PASSED end
    if number == 1 then
      if x[place + 1] <= now then may = NOT end
    elseif number == GATES then gated = x[place + 1]
    elseif number == PASSING then passing = x[place + 1]
    elseif number > 5 and not (HANGS[number] or goesAtEnd(number, x[place + 1])) and may == MAY then may = OTHERWISE end
  end
  return may, gated, passing
end

-- Whether it is the key of this id shows the row that is found.
local function keyOf(id)
  return #id == 22 and sub(id, 1, 14) or "!" .. id
end

${cuts}
-- The tasks that are paused; nil if there is more to look at: what was withheld, a schedule's line, a run that was revoked, a line
-- that may go on.
local function pausedTasks(held)
  if held[1] + held[2] + held[5] > 0 then return nil end
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

-- What else the row of a job has whose run began and did not complete it, and the number of that run among those.
local function withStory(x)
  if not x then return {5, 1}, 1 end
  if x[#x - 1] == 5 then x[#x] = x[#x] + 1
  else
    x[#x + 1] = 5
    x[#x + 1] = 1
  end
  return x, x[#x]
end

-- Bodies that stand apart, each behind the key of its row.
local function packedBodies(keys, found)
  local list, length = {}, 0
  for place, key in ipairs(keys) do
    list[place * 2 - 1], list[place * 2] = key, found[place] or ""
    length = length + #list[place * 2]
  end
  -- A text of them all would be made, and hashed, once more.
  return length > LONG_TEXT and list or pack(list)
end

${front}
${numbers}
${unlist}
${alike}
${claims}
${gates}
local function firstDue()
  local _, due = unpack(call("ZRANGE", ${key("scheduled")}, 0, 0, "WITHSCORES"))
  return due and tonumber(due)
end

-- Makes due jobs ready. Their rows stay as they are.
local function promote(nowText)
  local list = call("ZRANGEBYSCORE", ${key("scheduled")}, "-inf", nowText, "LIMIT", 0, PROMOTED, "WITHSCORES")
  local ready = {}
  for at = 1, #list, 2 do
    local member, due = list[at], tonumber(list[at + 1])
    ready[at] = string.format("%d", struct.unpack(">I4", member) - 2147483647)
    ready[at + 1] = six(due) .. sub(member, 5)
  end
  write("ZADD", ${key("ready")}, ready)
  call("ZREMRANGEBYRANK", ${key("scheduled")}, 0, #list / 2 - 1)
end

-- Answers nil when it meets anything else, having changed nothing but that due jobs may be ready. What the rest of the script is to
-- claim besides is then in SAID.others, and what it is to settle before, in SAID.ahead. If SAID.again says what went on from lines, all is settled, and
-- nothing claimed.
local function short()
  if ARGV[9] ~= "" or ARGV[11] ~= "" then return nil end
  local text = call("GET", KEYS[1])
  if not text then return nil end
  local behind, epoch, phase, fence = decodeFrom(text, 3)
  local behindAll, order, paused, later, c1, c2, completed, c4, c5, c6, c7, c8, kept, held, revoked, moving, looked, feed, unknownAfter =
    decodeFrom(text, 18, behind)
  if phase ~= "open" or later or paused or revoked then return nil end
  LINES.order = order
  local resting = held and pausedTasks(held)
  if held and not resting then return nil end

  local now = tonumber(ARGV[1])
  if not now then
    local time = call("TIME")
    now = time[1] * 1000 + math.floor(time[2] / 1000)
  end

  local nowText = string.format("%.17g", now)

  -- Runs that have ended, or begun: what tells of their claim alone needs no look at its row.
  local keys, asked, ends, wanted = {}, {}, {}, {}
  local list = ARGV[12] ~= "" and not SAID.again and cmsgpack.unpack(ARGV[12]) or {}
  local follows = feed and feed[4]
  if #list > 0 and follows and (now > follows or feed[2] - feed[3] > 1000000) then return nil end
  local first, waitedFor = SAID.ahead or {}, {}
  for at = 1, #list, 5 do
    if not first[at] then
      local mark, key = list[at + 3], keyOf(list[at])
      if mark == 2 or asked[key] then return nil end
      keys[#keys + 1] = key
      asked[key] = at
      local claim = claimOf(list[at + 1])
      local entry = claim and claim.places[key]
      local isShort = mark == 0 or #list[at + 4] <= INLINE
      if #list >= FEW * 5 and entry and isShort and not (mark == 3 and claim.list[entry + 1]) and byte(claim.list[entry]) ~= HANGING then
        ends[key] = entry
      end
      if follows or not ends[key] then wanted[#wanted + 1] = key end
    end
  end
  local settled, begins = #keys, false
  local begun = ARGV[10] ~= "" and not SAID.again and cmsgpack.unpack(ARGV[10]) or {}
  for _, run in ipairs(begun) do
    local key = keyOf(run[1])
    local at = asked[key]
    if not at then
      asked[key] = run
      local claim = claimOf(run[2])
      local entry = claim and claim.places[key]
      if not entry then
        keys[#keys + 1] = key
        wanted[#wanted + 1] = key
      elseif not claim.list[entry + 1] then
        claim.list[entry + 1] = now - claim.at
        claim.changed, begins = true, true
      end
    elseif tonumber(at) and list[at + 3] == 3 then return nil end
  end
  local texts = {}
  for place, row in ipairs(many(${key("rows")}, wanted)) do
    if not row then return nil end
    texts[wanted[place]] = row
  end
  local rows, apart, over, ended, done, bare, unread, ids, stories, events = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}
  for place = 1, settled do
    local key = keys[place]
    local at, row, entry = asked[key], texts[key], ends[key]
    local id, fence, began, unreadable, claim = list[at], list[at + 1], list[at + 2], list[at + 3] == 3, claimOf(list[at + 1])
    local bytes, member, task, attempt, _ = list[at + 3] > 0 and list[at + 4] or nil, key, nil, nil, nil
    if entry then
      member = claim.list[entry]
      if unreadable then began = nil end
      if claim.gates[key] and not free(claim.gates[key], key, id, true, now) then waitedFor[#waitedFor + 1] = at end
      over[#over + 1] = key
      over[#over + 1] = endOf(claim, unreadable and QUARANTINED or COMPLETED, began, now, bytes)
      endInClaim(claim, key)
      if follows then
        _, _, _, task, _, attempt = decodeFrom(row, 5, 11)
        attempt = attempt + 1
      end
    else
      local told, tail, due, code, x, failures, crashes, own, started, owner, odd, size, suffix = bytes
      tail, due, code, task, x, attempt, failures, crashes, own, _, started, _, _, owner, _, _, odd, size, suffix =
        decodeFrom(row, 18, 11)
      local names = unreadable and (isPlain(x) and {}) or not unreadable and heldBy(x)
      if odd or not names or id ~= (suffix and key .. suffix or sub(key, 2)) then return nil end
      entry = claim and claim.places[key]
      if not free(names, key, id, entry, now) then waitedFor[#waitedFor + 1] = at end
      if entry then
        attempt, own, owner, started = attempt + 1, fence, claim.owner, claim.list[entry + 1]
        endInClaim(claim, key)
      elseif code ~= ACTIVE or own ~= fence then return nil
      else ended[#ended + 1] = key end
      -- Nobody began some of those that were claimed ahead.
      if unreadable and not started then began = nil end
      if unreadable and started then
        local number
        x, number = withStory(x)
        stories[#stories + 1] = number .. ":" .. key
        stories[#stories + 1] = pack({attempt = attempt, fence = own, owner = owner, startedAt = began, endedAt = now, error = bytes})
      end
      if bytes and #bytes > INLINE then
        apart[#apart + 1] = "r:" .. key
        apart[#apart + 1] = bytes
        told = #bytes
      elseif suffix and not x and not size then member = "\0" .. sub(row, 1, 5) .. key end
      local _, from = struct.unpack(">I5I6", row)
      rows[#rows + 1] = key
      -- A row that waits, or whose run has not ended, ends with the byte that says that it has no result.
      local rest = sub(row, tail + 1, -2)
      -- Of one that is cut off, all that is there is its body.
      if unreadable and not pcall(decodeFrom, row, 21, 11) then rest = pack(0, sub(row, tail + 1)) end
      rows[#rows + 1] = sub(row, 1, 11) .. pack(due, unreadable and QUARANTINED or COMPLETED, task, x, attempt, failures, crashes, own, own,
        began and began - from, now - from, nil, owner, nil, nil, nil, size, suffix) .. rest .. pack(told)
    end
    if follows then
      events[place] = pack({id, task, unreadable and "quarantined" or "completed", attempt, fence, now, began or false, false,
        unreadable and #bytes <= TOLD and bytes})
    end
    -- With its order, whoever removes it need not look at it.
    if ends[key] and byte(member) == 0 and not unreadable then bare[#bare + 1] = member
    else
      local final = unreadable and unread or done
      final[#final + 1] = nowText
      final[#final + 1] = unreadable and key or member
    end
    ids[place] = id
  end
  if #waitedFor > 0 then
    if general and not SAID.ahead and settled - #waitedFor >= WORTH then
      SAID.ahead = {}
      for _, at in ipairs(waitedFor) do SAID.ahead[at] = true end
    end
    return nil
  end
  for place = settled + 1, #keys do
    local key = keys[place]
    local run, row = asked[key], texts[key]
    local tail, due, code, task, x, attempt, failures, crashes, own, last, started, finished, reason, owner, lease, since, odd, size, suffix =
      decodeFrom(row, 18, 11)
    if code ~= ACTIVE or odd or not isPlain(x) or own ~= run[2] or run[1] ~= (suffix and key .. suffix or sub(key, 2)) then return nil end
    if not started then
      local _, from = struct.unpack(">I5I6", row)
      rows[#rows + 1] = key
      rows[#rows + 1] = sub(row, 1, 11) .. pack(due, ACTIVE, task, x, attempt, failures, crashes, own, last, now - from, finished, reason, owner,
        lease, since, nil, size, suffix) .. sub(row, tail + 1)
    end
  end
  for from = 1, #bare, TOGETHER do
    local to = math.min(from + TOGETHER - 1, #bare)
    done[#done + 1] = nowText
    done[#done + 1] = to > from and "\1" .. table.concat(bare, "", from, to) or bare[from]
  end
  local quarantined = #unread / 2
  completed, c8 = completed + settled - quarantined, c8 + quarantined

  -- What is there to claim.
  local _, opens = unpack(call("ZRANGE", ${key("opening")}, 0, 0, "WITHSCORES"))
  local begin, ahead, lease = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
  local goesOn = #LINES.opened > 0
  if goesOn then begin = nil end
  local due = firstDue()
  if begin and due and due <= now then
    promote(nowText)
    due = firstDue()
  end
  local claimed, bodies, taken, runs, taking, more, owners, own, nextFence = {}, "", 0, {}, {}, false, nil, nil, nil
  -- Keys of the rows that are looked at; of those that are claimed, once others are among them, and their places in line.
  local line, found, takenAt = {}, nil, nil
  -- Rows of jobs that had a place kept for them: it is theirs.
  local arrived = {}
  -- How many are left for somebody who begins them at once; those that the rest of the script claims; whether that is to claim all.
  local passed, left, seen, others = 0, 0, 0, {keys = {}, begins = {}, before = {}, closed = {}}
  local isLeft = begin and opens and tonumber(opens) <= now
  -- One more than is looked at tells whether there are more.
  local least = begin and math.max(FIRST, begin + PASSES) or 0
  FRONT.begin(begin and begin + ahead or 0)
  local head = FRONT.fill(begin and math.min(begin + ahead, least) or 0)
  if begin and not isLeft then
    local wanted = begin + ahead
    local known = call("HGET", ${key("owners")}, ARGV[13])
    local _, last = decodeFrom(known or "\255", 1)
    if known and tonumber(ARGV[4]) <= last then return nil end
    -- As M.nextFence.
    nextFence = fence + 1
    if ARGV[1] == "" then nextFence = math.max(nextFence, ${fenceBefore("now", "epoch")}) end
    own = epoch * ${EPOCH} + nextFence
    local knows, wants, places = {}, {}, {}
    local function isKnown(task)
      if knows[task] == nil then
        knows[task] = string.find(ARGV[8], "\n" .. task .. "\n", 1, true) ~= nil and not (resting and resting[task])
      end
      return knows[task]
    end
    local function leave(at)
      if found then return end
      found, takenAt = {}, {}
      for place = 1, at - 1 do found[place], takenAt[place] = line[place], place end
    end
    local at, size, isEnough, carried = 0, #head, wanted == 0, 0
    while at < size and not isEnough and not isLeft do
      -- The first ones show whether it is worth while.
      local to = math.min(size, at == 0 and least or size, at + wanted - taken - left)
      for place = at + 1, to do line[place] = FRONT.keys[place] or sub(head[place], 13) end
      local from = at
      for place, row in ipairs(many(${key("rows")}, line, at + 1, to)) do
        if not row then return nil end
        at = from + place
        local key, isBegun, alike, length = line[at], taken + left < begin, isLike(row)
        local may, isBare, hasMore, unique, gated, passing, closed, isSure, x = MAY, alike and not length, false, nil, nil, nil, nil, false, nil
        if alike then
          if not isKnown(like.task) then may = NOT end
        else
          local tail, _, _, task, rest, _, _, _, _, _, _, _, _, _, _, _, _, bytes, suffix = decodeFrom(row, 18, 11)
          if rest then
            may, gated, passing = howClaimed(rest, now, not isBegun)
            x = rest
            if passing then x = placed(rest) end
            hasMore, unique = hangingOn(x)
          end
          if not isKnown(task) then may = NOT end
          if gated and (may == MAY or may == OTHERWISE) then may, closed, isSure = howGated(gated, now, may, passing)
          elseif passing and may == MAY then may = OTHERWISE end
          if (gated or unique) and may == MAY then hold(gated, unique, key, suffix and key .. suffix or sub(key, 2), not hasMore and taking, passing) end
          if passing and may == MAY then
            row = rewritten(row, READY, x)
            arrived[#arrived + 1] = key
            arrived[#arrived + 1] = row
          end
          if suffix then learn(row, tail, task, bytes) end
          length, isBare = bytes, suffix and not rest and not bytes
        end
        if may == MAY then
          taken = taken + 1
          if length then
            wants[#wants + 1] = "b:" .. key
            places[#places + 1] = key
            -- What somebody has written there is no length.
            carried = carried + (tonumber(length) or 0)
          end
          if found then found[taken], takenAt[taken] = key, at end
          claimed[taken * 2 - 1], claimed[taken * 2] = key, row
          runs[taken * 2 - 1] = isBare and "\0" .. sub(row, 1, 5) .. key or hasMore and char(HANGING) .. key or key
          runs[taken * 2] = isBegun and 0
        elseif may == PASSED then
          leave(at)
          passed = passed + 1
        elseif isSure then
          leave(at)
          park(row, x, key, FRONT.member(at), closed)
        else
          if not general then return nil end
          leave(at)
          if may == OTHERWISE then left = left + 1 end
          local place = #others.keys + 1
          others.keys[place], others.before[place], others.closed[place] = key, taken, closed or false
          -- Its place at a gate goes to the next in line, who is first in this one then.
          if passing and may == NOT then isLeft = true end
          others.begins[place] = may == OTHERWISE and (isBegun and 1 or 0)
        end
        isEnough = taken + left == wanted or at == wanted + SLACK or carried >= MOST_BYTES
          or (may == PASSED and passed >= PASSES + math.max(0, taken + left - begin))
        if isEnough or isLeft then break end
      end
      isLeft = isLeft or (#others.keys > 0 and taken < WORTH)
      if (at + 1 == size or (at == size and FRONT.fillBlocks)) and not (isEnough or isLeft) then
        size = #FRONT.fill(at + wanted - taken - left)
      end
    end
    found = found or line
    more = size > at or (due and due <= now) or ((passed > 0 or carried >= MOST_BYTES or FRONT.fillBlocks) and FRONT.hasMore())
    seen = at
    if isLeft then
      taken, passed, more, arrived = 0, 0, false, {}
      holdNothing()
    elseif #wants > 0 then bodies = packedBodies(places, many(${key("bodies")}, wants)) end
    if taken > 0 then
      fence = nextFence
      owners = pack(tonumber(ARGV[4]), own, found, now)
      if not known then apart.owner = true end
    end
  elseif not begin then more = #head > 0 end
  if isLeft then
    if settled < WORTH or not general then return nil end
    others.areAll = true
  end

  -- What need not be kept any longer: too many are seen at once, what is too old is looked for once a second.
  local tooMany, oldest, looks = completed - kept[2], false, now - looked >= 1000 or now < looked
  if looks then
    -- The rest of the script lets go of what is too old in the feed.
    if #events > 0 then
      local first = call("XRANGE", ${key("feed")}, "-", "+", "COUNT", 1)[1]
      local fine, event = pcall(cmsgpack.unpack, first and first[2][2] or "")
      if first and not (fine and type(event) == "table" and tonumber(event[6]) and event[6] >= now - 604800000) then return nil end
    end
    looked = now
    for name, key in pairs({done = ${key("done")}, gone = ${key("gone")}, kept = ${key("kept")}, expiry = ${key("expiry")}}) do
      local _, at = unpack(call("ZRANGE", key, 0, 0, "WITHSCORES"))
      if name == "done" then oldest = at and tonumber(at) <= now - kept[1]
      elseif at and tonumber(at) <= now - (name == "gone" and kept[3] or 0) then return nil end
    end
  end
  -- Those with a retention of their own are removed by the rest of the script, if their turn comes before that of others.
  local early = tooMany > 0 and call("ZRANGEBYLEX", ${key("caps")}, "[\0\1c", "(\0\1d", "LIMIT", 0, 1)[1]
  if early then
    local last = math.min(tooMany, PURGED + settled) - 1
    local _, at = unpack(call("ZRANGE", ${key("done")}, last, last, "WITHSCORES"))
    if not at or tonumber(at) > struct.unpack(">I6", early, 4) then return nil end
  end
  local gone, lines, shed, most, entries, rest, restAt = {}, {}, {}, 0, 0, nil, nil
  if tooMany > 0 or oldest then
    -- More than have come, or it would never end while there is much to do.
    most = PURGED + settled
    local unknown, left, size = {}, tooMany > 0 and math.min(tooMany, most) or most, 4
    while left > 0 do
      local old = tooMany > 0 and call("ZRANGE", ${key("done")}, entries, entries + size - 1)
        or call("ZRANGEBYSCORE", ${key("done")}, "-inf", string.format("%.17g", now - kept[1]), "LIMIT", entries, size)
      for _, member in ipairs(old) do
        if left == 0 then break end
        local first = byte(member)
        local count = first > 1 and 1 or (#member - first) / 20
        entries = entries + 1
        if first > 1 then unknown[#unknown + 1] = member
        else
          -- The last ones of many that completed together may stay.
          if count > left then
            count, rest, restAt = left, "\1" .. sub(member, first + left * 20 + 1), call("ZSCORE", ${key("done")}, member)
          end
          for at = first, first + count * 20 - 1, 20 do
            gone[#gone + 1] = sub(member, at + 7, at + 20)
            lines[#lines + 1] = struct.unpack(">I5", member, at + 2)
          end
        end
        left = left - count
      end
      if #old < size then break end
      size = size * 4
    end
    for place, row in ipairs(many(${key("rows")}, unknown)) do
      if not row then return nil end
      local _, _, code, _, rest, _, _, _, _, _, _, _, _, _, _, _, _, size, _, _, _, bytes = decodeFrom(row, 21, 11)
      if not ENDED[code] or not leavesNothing(rest) then return nil end
      gone[#gone + 1] = unknown[place]
      lines[#lines + 1] = struct.unpack(">I5", row)
      if size then shed[#shed + 1] = "b:" .. unknown[place] end
      if type(bytes) == "number" then shed[#shed + 1] = "r:" .. unknown[place] end
    end
  end
  if c4 + c5 + c6 + c7 + c8 > kept[4] then return nil end
  if most > 0 and #gone >= most then looked = 0 end

  local heard = 0
  -- From here on it writes.
  SAID.writes = true
  if #keys > 0 or begins or #gone > 0 or taken + #LINES.parked > 0 then
    if #apart > 0 then write("HSET", ${key("bodies")}, apart) end
    write("HSET", ${key("rows")}, rows)
    write("HSET", ${key("rows")}, arrived)
    write("HSET", ${key("ended")}, over)
    -- They were the first in line, and are until others are added.
    if entries > 0 then call("ZREMRANGEBYRANK", ${key("done")}, 0, entries - 1) end
    if rest then call("ZADD", ${key("done")}, restAt, rest) end
    if settled > 0 then
      write("ZREM", ${key("active")}, ended)
      write("ZADD", ${key("done")}, done)
      write("ZADD", ${key("gone")}, unread)
      write("HSET", ${key("stories")}, stories)
    end
    if #gone > 0 then
      write("HDEL", ${key("rows")}, gone)
      write("HDEL", ${key("ended")}, gone)
      unlist(${key("listing")}, ${key("listed")}, lines)
      write("HDEL", ${key("bodies")}, shed)
      completed = completed - #gone
    end
    writeClaims()
    if taken == 0 and #LINES.parked > 0 then FRONT.take(0, {}, seen) end
    if taken > 0 then
      local field = string.format("%d", own)
      -- First, since a server whose memory is full refuses it, and would not once something was removed.
      writeClaim(field, taken, ARGV[3], lease, now, runs, taking)
      FRONT.take(taken, takenAt, seen)
      call("ZADD", ${key("active")}, string.format("%.17g", now + lease), "#" .. field)
      call("HSET", ${key("owners")}, ARGV[13], owners)
      if apart.owner then call("ZADD", ${key("expiry")}, now + 604800000, "o:" .. ARGV[13]) end
    end
    writeGates(now, own or 0)
    if #events > 0 then
      ${appendEvents}
      local last, anew = appendEvents(${key("feed")}, feed[2], events, now)
      feed = {anew or feed[1], last, anew and 0 or feed[3], feed[4]}
    end
    local left = pack(epoch, phase, fence, LINES.order, paused, later, c1, c2 + #LINES.parked - #LINES.opened, completed, c4, c5, c6, c7, c8, kept, held, revoked, moving, looked, feed, unknownAfter)
    if left ~= text then call("SET", KEYS[1], left) end
    if settled > 0 and ARGV[2] ~= "" then
      local told = ARGV[14] ~= "" and ARGV[14] or pack({final = settled <= 100 and ids or true})
      heard = call(ARGV[2], ${key("wake")} .. ":final", told)
    end
  end
  local nextDue = opens
  if due and (not opens or due < tonumber(opens)) then nextDue = string.format("%.17g", due) end
  if goesOn then SAID.again = {opened = LINES.opened, heard = heard > 0 and heard <= 8} end
  if goesOn or #LINES.parked > 0 then
    SAID.effects = SAID.effects or {}
    for _, list in ipairs({LINES.opened, LINES.parked}) do for _, own in ipairs(list) do SAID.effects[#SAID.effects + 1] = own.told end end
  end
  if isLeft or #others.keys > 0 then
    others.fence, others.taken, others.count, SAID.others = own, found, left, others
  end
  -- One text of all: a reply of many is slow to read.
  return {(more and 1 or 0) + (heard > 0 and heard <= 8 and 2 or 0) + (passed > 0 and 4 or 0), nextDue or "", nowText, taken, taken > 0 and pack(claimed) or "", bodies, own or 0}
end
`;
