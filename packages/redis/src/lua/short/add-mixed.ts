import { placeOf, states } from "../rows.js";
import { isReady } from "./is-ready.js";
import { key } from "./key.js";
import { beginning, storing } from "./new-jobs.js";

/**
 * The same where there are others among them: jobs that were given an id, jobs with a unique key that are not stored where it is taken,
 * and flows whose rows are all new. Jobs that are there already are answered as such, and the others are stored; whatever else
 * stands in the way is left to the long script. ARGV further are, packed, and each with its place in the call:
 *
 * - of jobs with an id or a unique key: place, id (false: core made it), task, key (false: none), and until when they have that;
 * - of flows: place, and how many rows; of each row its key, 0 for a job that waits for nothing, 1 for one that waits, 2 for a group,
 *   then priority, due, and its row up to the number of its flow, and behind it;
 * - keys of groups, each with its packed members.
 *
 * Bodies that stand apart come behind the place of their job. Answers as `add` does; where jobs are there already, `x` for those, and a
 * packed list of their ids and states.
 */
export const addMixed: string = String.raw`
${beginning}
${storing}
${states}
${placeOf}
${isReady}
local list, odd, flows = cmsgpack.unpack(ARGV[3]), cmsgpack.unpack(ARGV[5]), cmsgpack.unpack(ARGV[6])
local oddAt, keys, names, uniques = {}, {}, {}, {}
for at = 1, #odd, 5 do
  oddAt[odd[at]] = at
  if odd[at + 1] then names[#names + 1] = "n:" .. odd[at + 1] end
  if odd[at + 3] then uniques[#uniques + 1] = odd[at + 3] end
end
local at = 1
while flows[at] do
  local past = at + 2 + flows[at + 1] * 6
  for place = at + 2, past - 1, 6 do keys[#keys + 1] = flows[place] end
  at = past
end
local ofFlows = #keys
keysOf(list, keys)

local function textsOf(hash, fields)
  local texts = {}
  for place, text in ipairs(many(hash, fields)) do texts[fields[place]] = text or nil end
  return texts
end
local rows, remembered, holders = textsOf(${key("rows")}, keys), textsOf(${key("memory")}, names), textsOf(${key("uniques")}, uniques)
for place = 1, ofFlows do if rows[keys[place]] then return 0 end end

-- The id, state and task of a row, and when it expires; nothing where that is a group, or in no state. Claims, ends and promotions do not write it anew.
local function lookedAt(key, row)
  local order, enqueued = struct.unpack(">I5I6", row)
  local _, due, code, task, x = decode(row, 4, 11)
  local _, suffix, priority = decode(row, 2, (decode(row, 17, 11)))
  if code == 2 or code == 11 then
    local ended, own = call("HGET", ${key("ended")}, key), six(order) .. key
    if ended then _, code = decode(ended, 1)
    elseif isReady(-priority, six(enqueued + due) .. own) then code = 2
    elseif code == 2 or not call("ZSCORE", ${key("scheduled")}, four(priority) .. own) then code = 4 end
  end
  if not STATES[code] then return nil end
  return suffix and key .. suffix or string.sub(key, 2), STATES[code], task, type(x) == "table" and x[1] == 1 and x[2] or nil
end

-- Who has a unique key, and how that job stands; nothing where its time is over, and false where another one is next in line, where that job has to
-- be ended since it expired, or cannot be read.
local free, WAITING = {}, {blocked = true, scheduled = true, ready = true, parked = true}
local function holderOf(unique)
  local read, holder, till, _, state = pcall(cmsgpack.unpack, holders[unique])
  if not read or type(holder) ~= "string" then return false end
  if type(till) == "number" and till <= now then
    if call("HEXISTS", ${key("gates")}, "unique:" .. unique) == 1 then return false end
    free[#free + 1] = unique
    return nil
  end
  for _, key in ipairs({"!" .. holder, placeOf(holder) or nil}) do
    local row = call("HGET", ${key("rows")}, key)
    local id, own, expiresAt = nil, nil, nil
    local fine = true
    if row then fine, id, own, _, expiresAt = pcall(lookedAt, key, row) end
    if not fine then return false end
    if type(till) ~= "number" and WAITING[own] and type(expiresAt) == "number" and expiresAt <= now then return false end
    if id == holder then return holder, own end
  end
  -- Of one that holds it as long as it is not final, somebody has removed the row.
  if type(till) ~= "number" then return false end
  return holder, state or "completed"
end

-- What core made of an id that does not stand in the key.
local function suffixOf(rest)
  local _, suffix = decode(rest, 1, (decode(rest, 15)))
  return suffix
end

local stamp, number, position = six(now), order, 0
local states, existing, listed, ready, scheduled, texts, blocked = {}, {}, {}, {}, {}, {}, 0

-- The flows that are next in the call.
local flowAt = 1
local function takeFlows()
  while flows[flowAt] == position + 1 do
    local past = flowAt + 2 + flows[flowAt + 1] * 6
    position, number = position + 1, number + 1
    local flow = pack(number)
    for at = flowAt + 2, past - 1, 6 do
      local key, what, priority, due, code = flows[at], flows[at + 1], flows[at + 2], flows[at + 3], 1
      number = number + 1
      local own = bytes(">I5", number)
      if what == 0 then
        local score, before
        code, score, before = lineFor(priority, due)
        local line = code == 2 and ready or scheduled
        line[#line + 1] = score
        line[#line + 1] = before .. own .. key
        states[position] = states[position] or code == 2 and "r" or "s"
      elseif what == 1 then blocked = blocked + 1
      else due, code = now, 33 end
      texts[#texts + 1] = key
      texts[#texts + 1] = own .. stamp .. pack(due - now, code) .. flows[at + 4] .. flow .. flows[at + 5]
      listed[#listed + 1] = number
      listed[#listed + 1] = key
    end
    flowAt = past
  end
end

local accepted, newKeys, orders, held, ends, areAlike, mine, takers = {}, {}, {}, {}, {}, true, {}, {}
at = 1
while list[at] do
  local due, past, head = list[at + 1], at + 3 + list[at + 2] * 2, #accepted + 1
  local how = due <= now and "ready" or "scheduled"
  accepted[head], accepted[head + 1], accepted[head + 2] = list[at], due, 0
  for place = at + 3, past - 1, 2 do
    takeFlows()
    position = position + 1
    local key, rest, odds = list[place], list[place + 1], oddAt[position]
    local name, task, unique, till = false, nil, false, nil
    if odds then name, task, unique, till = odd[odds + 1], odd[odds + 2], odd[odds + 3], odd[odds + 4] end
    local id, state, whose = nil, nil, nil
    if mine[key] then id, state, whose = unpack(mine[key])
    elseif rows[key] then
      id, state, whose = lookedAt(key, rows[key])
      if not id then return 0 end
    end
    if name then
      if not id and remembered["n:" .. name] then
        local was, how, forgotten = cmsgpack.unpack(remembered["n:" .. name])
        if forgotten > now then id, state, whose = name, how, was end
      end
      if id and whose ~= task then return 0 end
    elseif id and id ~= key .. (suffixOf(rest) or "") then return 0 end
    if not id and unique then
      if takers[unique] then id, state = takers[unique][1], takers[unique][2]
      elseif holders[unique] then
        id, state = holderOf(unique)
        if id == false then return 0 end
      end
    end
    if id then
      states[position] = "x"
      existing[#existing + 1] = id
      existing[#existing + 1] = state
    else
      number = number + 1
      states[position] = string.sub(how, 1, 1)
      if odds then
        id = name or key .. suffixOf(rest)
        if name then mine[key], areAlike = {name, how, task}, false end
        if unique and not (type(till) == "number" and till <= now) then
          takers[unique] = {id, how}
          held[#held + 1] = unique
          held[#held + 1] = pack(id, till, nil, nil)
          if type(till) == "number" then
            ends[#ends + 1] = string.format("%.17g", till)
            ends[#ends + 1] = "u:" .. unique
          end
        end
      end
      orders[#orders + 1] = number
      listed[#listed + 1] = number
      listed[#listed + 1] = key
      newKeys[#newKeys + 1] = key
      accepted[#accepted + 1] = key
      accepted[#accepted + 1] = rest
      accepted[head + 2] = accepted[head + 2] + 1
    end
  end
  at = past
end
takeFlows()

-- From here on it writes.
if ARGV[4] ~= "" then
  local apart, own = cmsgpack.unpack(ARGV[4]), {}
  for at = 1, #apart, 3 do
    if states[apart[at]] ~= "x" then
      own[#own + 1] = apart[at + 1]
      own[#own + 1] = apart[at + 2]
    end
  end
  write("HSET", ${key("bodies")}, own)
end
write("HDEL", ${key("uniques")}, free)
write("HSET", ${key("uniques")}, held)
write("ZADD", ${key("expiry")}, ends)
if ofFlows == 0 then store(accepted, newKeys, areAlike)
else
  if ARGV[7] ~= "" then write("HSET", ${key("members")}, cmsgpack.unpack(ARGV[7])) end
  writeJobs(accepted, nil, orders, ready, scheduled)
  write("HSET", ${key("rows")}, texts)
  for at = 1, #listed, 2 do call("XADD", ${key("listing")}, listed[at] .. "-1", "", listed[at + 1]) end
  local from = decode(text, 2, after)
  local behind, count = decode(text, 1, from)
  call("SET", ${key("queue")}, pack(epoch, phase, fence, number) .. string.sub(text, after + 1, from) .. pack(count + blocked) .. string.sub(text, behind + 1))
end
local told = table.concat(states) .. (#listed > 0 and hint() or "")
if #existing == 0 then return told end
return {told, pack(existing)}
`;
