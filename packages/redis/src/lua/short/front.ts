import { TOGETHER } from "../block.js";
import { blocksIn, isBefore } from "../blocks.js";
import { key } from "./key.js";

/** Steps that want fewer jobs would take each block apart, and read on behind what is left of it: they open several at once. */
const FEW = 2 * TOGETHER;
const OPENED = 4;

/** The first of the ready jobs, of which many may stand in blocks (`blocks.ts`), and taking them out. */
export const front: string = String.raw`
${isBefore}
local FRONT = {}

-- What is needed where there are blocks is made when the first is met.
local function knowBlocks()
  ${blocksIn(key("blocks"), key("listing"))}
  return Blocks
end

-- Makes those of the first blocks stand for themselves, which changes nothing.
local function openFirst()
  local Blocks, page, list = knowBlocks(), call("ZRANGE", ${key("blocks")}, 0, ${OPENED - 1}, "WITHSCORES"), {}
  for at = 1, #page, 2 do
    if not Blocks.addOpened(page[at], page[at + 1], list) then error("a block that nobody knows", 0) end
  end
  call("ZADD", ${key("ready")}, unpack(list))
  call("ZREMRANGEBYRANK", ${key("blocks")}, 0, #page / 2 - 1)
end

local function makeBlocks()
  local Blocks = knowBlocks()
  local page, at, single, due, order, own = {}, 1, nil, nil, nil, nil

  -- The next block that was not read, and its score; so many jobs are needed.
  local function nextBlock(count)
    if at > #page then
      local from = #FRONT.starts
      page, at = call("ZRANGE", ${key("blocks")}, from, from + math.ceil(count / ${TOGETHER}), "WITHSCORES"), 1
    end
    return page[at], tonumber(page[at + 1])
  end

  local function know(member)
    single, own = member, tonumber(call("ZSCORE", ${key("ready")}, member))
    due, order = struct.unpack(">I6I6", member)
  end

  -- Adds the next ones that stand for themselves, at most so many: those that come before this block. Then the first that does not is known.
  local function addSingles(count, block, score)
    local list, from = FRONT.list, FRONT.singles
    local members = call("ZRANGE", ${key("ready")}, from, from + math.min(count, 64) - 1)
    local least, size = 0, #members
    FRONT.isEnd = size == 0
    while least < size do
      -- The last one mostly tells of all.
      local middle = least == 0 and size == #members and size or math.floor((least + size) / 2) + 1
      know(members[middle])
      if isBefore(block, score, own, due, order) then size = middle - 1 else least = middle end
    end
    for place = 1, size do list[#list + 1] = members[place] end
    FRONT.singles = from + size
    if members[size + 1] then know(members[size + 1]) else single = nil end
  end

  local function addBlock(block, score)
    local list, number, size = FRONT.list, #FRONT.starts + 1, #FRONT.list
    if not Blocks.addKeys(block, FRONT.keys, size) then error("a block that nobody knows", 0) end
    FRONT.starts[number], FRONT.members[number], FRONT.scores[number] = size + 1, block, score
    for place = size + 1, size + ${TOGETHER} do list[place] = false end
    at = at + 2
  end

  -- Adds the job at a place, in a block of this number, to those of it that stay, and stand for themselves from now on.
  function FRONT.addOpened(place, number, opened)
    opened[#opened + 1] = FRONT.scores[number]
    opened[#opened + 1] = FRONT.member(place, number)
  end

  function FRONT.fillBlocks(last)
    local list = FRONT.list
    while #list <= last do
      local block, score = nextBlock(last + 1 - #list)
      if not block then
        for _, member in ipairs(call("ZRANGE", ${key("ready")}, FRONT.singles, FRONT.singles + last - #list)) do
          list[#list + 1] = member
          FRONT.singles = FRONT.singles + 1
        end
        break
      end
      if FRONT.isEnd or (single and isBefore(block, score, own, due, order)) then addBlock(block, score)
      else addSingles(last + 1 - #list, block, score) end
    end
    return list
  end
end

-- As nothing is known of it. Members in their order, as far as they were read, and how many of them stand for themselves; of those in blocks
-- there is false instead, and the key; of each block where it begins, its member, and its score.
function FRONT.begin(wanted)
  FRONT.isFew = wanted > 0 and wanted < ${FEW}
  FRONT.list, FRONT.singles, FRONT.keys, FRONT.starts, FRONT.isEnd, FRONT.fillBlocks = {}, 0, {}, {}, false, nil
  FRONT.first = call("ZRANGE", ${key("blocks")}, 0, 0, "WITHSCORES")
end

-- Whether so many that stand for themselves come before the first block: the last one tells.
local function areBefore(members, count)
  local block, score = unpack(FRONT.first)
  if not block then return true end
  local member = members[count]
  if not member then return false end
  local own = tonumber(call("ZSCORE", ${key("ready")}, member))
  return not isBefore(block, tonumber(score), own, struct.unpack(">I6I6", member))
end

-- Reads on, up to this place at least, counted from 0, if there are so many.
function FRONT.fill(last)
  local list = FRONT.list
  if not FRONT.fillBlocks then
    local members = call("ZRANGE", ${key("ready")}, #list, last)
    if areBefore(members, last - #list + 1) then
      for _, member in ipairs(members) do list[#list + 1] = member end
      FRONT.singles = #list
      return list
    end
    if FRONT.isFew then
      openFirst()
      FRONT.first = call("ZRANGE", ${key("blocks")}, 0, 0, "WITHSCORES")
      return FRONT.fill(last)
    end
    FRONT.members, FRONT.scores = {}, {}
    makeBlocks()
  end
  return FRONT.fillBlocks(last)
end

-- Whether there are more than were read, some of them perhaps in blocks.
function FRONT.hasMore()
  return call("ZCARD", ${key("ready")}) > FRONT.singles or call("ZCARD", ${key("blocks")}) > #FRONT.starts
end

-- What stands in line for the job at a place, if that is in a block of this number, or would.
function FRONT.member(place, number)
  if FRONT.list[place] then return FRONT.list[place] end
  if not number then
    number = #FRONT.starts
    while FRONT.starts[number] > place do number = number - 1 end
  end
  local block = FRONT.members[number]
  return sub(block, 1, 6) .. struct.pack(">I6", struct.unpack(">I6", block, 7) + place - FRONT.starts[number]) .. FRONT.keys[place]
end

-- Takes the first ones out of the line. Those that stay of a block stand for themselves from now on.
local function takeFirst(count)
  local starts, inBlocks, touched, opened = FRONT.starts, 0, 0, {}
  while starts[touched + 1] and starts[touched + 1] <= count do
    touched = touched + 1
    inBlocks = inBlocks + math.min(count - starts[touched] + 1, ${TOGETHER})
  end
  for place = count + 1, touched > 0 and starts[touched] + ${TOGETHER - 1} or 0 do FRONT.addOpened(place, touched, opened) end
  -- First, as a server whose memory is full refuses it.
  if #opened > 0 then call("ZADD", ${key("ready")}, unpack(opened)) end
  if count > inBlocks then call("ZREMRANGEBYRANK", ${key("ready")}, 0, count - inBlocks - 1) end
  if touched > 0 then call("ZREMRANGEBYRANK", ${key("blocks")}, 0, touched - 1) end
end

-- The same of those at these places, of all that were looked at up to another one.
local function takeThese(places, last)
  local touched, isTaken, opened, singles = 0, {}, {}, {}
  for _, place in ipairs(places) do
    isTaken[place] = true
    if FRONT.list[place] then singles[#singles + 1] = FRONT.list[place] end
  end
  while FRONT.starts[touched + 1] and FRONT.starts[touched + 1] <= last do
    touched = touched + 1
    for place = FRONT.starts[touched], FRONT.starts[touched] + ${TOGETHER - 1} do
      if not isTaken[place] then FRONT.addOpened(place, touched, opened) end
    end
  end
  write("ZADD", ${key("ready")}, opened)
  write("ZREM", ${key("ready")}, singles)
  if touched > 0 then call("ZREMRANGEBYRANK", ${key("blocks")}, 0, touched - 1) end
end

-- Takes so many of the first ones, or those at these places, of all that were looked at up to another one.
function FRONT.take(count, places, last)
  if places then takeThese(places, last) else takeFirst(count) end
end
`;
