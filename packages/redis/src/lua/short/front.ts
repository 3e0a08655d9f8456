import { blocksIn } from "../blocks.js";
import { BLOCK } from "../block.js";
import { key } from "./key.js";

/** The first of the ready jobs, of which many may stand in blocks (`blocks.ts`), and taking them out. */
export const front: string = String.raw`
${blocksIn(key("blocks"), key("listing"))}
-- Members in their order, as far as they were read, and how many of them stand for themselves. Of those in blocks there is false instead, with
-- key and order; of each block where it begins, when its jobs became due, and its score.
local FRONT = {}

-- As nothing is known of it.
function FRONT.begin()
  FRONT.list, FRONT.singles, FRONT.keys, FRONT.orders, Blocks.first = {}, 0, {}, {}, nil
  FRONT.starts, FRONT.dues, FRONT.scores = {}, {}, {}
end

-- Whether a job that stands for itself comes before this block.
local function comesFirst(member, block, score)
  return not Blocks.isBefore(block, score, tonumber(call("ZSCORE", ${key("ready")}, member)), struct.unpack(">I6I6", member))
end

-- Adds the next ones that stand for themselves, at most so many: those that come before this block. Whether there may be more of them.
local function addSingles(count, block, score)
  local list, from = FRONT.list, FRONT.singles
  if block then count = math.min(count, ${BLOCK}) end
  local page = call("ZRANGE", ${key("ready")}, from, from + count - 1)
  local size = #page
  if block and size > 0 and not comesFirst(page[size], block, score) then
    local least = 0
    size = size - 1
    while least < size do
      local middle = math.floor((least + size) / 2) + 1
      if comesFirst(page[middle], block, score) then least = middle else size = middle - 1 end
    end
  end
  for place = 1, size do list[#list + 1] = page[place] end
  FRONT.singles = from + size
  return size == count
end

local function addBlock(block, score)
  local keys, size, number = Blocks.keys(block), #FRONT.list, #FRONT.starts + 1
  if #keys == 0 then error("a block that nobody knows", 0) end
  local first = struct.unpack(">I6", block, 7) - 1
  FRONT.starts[number], FRONT.dues[number], FRONT.scores[number] = size + 1, sub(block, 1, 6), score
  for place, key in ipairs(keys) do
    FRONT.list[size + place], FRONT.keys[size + place], FRONT.orders[size + place] = false, key, first + place
  end
end

-- Reads on, up to this place at least, counted from 0, if there are so many.
function FRONT.fill(last)
  local list = FRONT.list
  local block, score = Blocks.head()
  if FRONT.starts[1] then block, score = Blocks.at(#FRONT.starts) end
  while #list <= last do
    local mayGoOn = addSingles(last + 1 - #list, block, score)
    if not mayGoOn then
      if not block then break end
      addBlock(block, score)
      block, score = Blocks.at(#FRONT.starts)
    end
  end
  return list
end

-- Whether there are more than were read.
function FRONT.hasMore()
  return call("ZCARD", ${key("ready")}) > FRONT.singles or call("ZCARD", ${key("blocks")}) > #FRONT.starts
end

-- What stands in line for the job at a place, if that is in a block of this number.
function FRONT.member(place, number)
  local order = FRONT.orders[place]
  if not order then return FRONT.list[place] end
  if not number then
    number = #FRONT.starts
    while FRONT.starts[number] > place do number = number - 1 end
  end
  return FRONT.dues[number] .. struct.pack(">I6", order) .. FRONT.keys[place]
end

-- Takes the first ones out of the line. Those that stay of a block stand for themselves from now on.
local function takeFirst(count)
  local starts, inBlocks, touched, opened = FRONT.starts, 0, 0, {}
  while starts[touched + 1] and starts[touched + 1] <= count do
    touched = touched + 1
    inBlocks = inBlocks + math.min(count - starts[touched] + 1, ${BLOCK})
  end
  for place = count + 1, touched > 0 and starts[touched] + ${BLOCK - 1} or 0 do
    opened[#opened + 1] = FRONT.scores[touched]
    opened[#opened + 1] = FRONT.member(place, touched)
  end
  -- First, as a server whose memory is full refuses it.
  write("ZADD", ${key("ready")}, opened)
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
    for place = FRONT.starts[touched], FRONT.starts[touched] + ${BLOCK - 1} do
      if not isTaken[place] then
        opened[#opened + 1] = FRONT.scores[touched]
        opened[#opened + 1] = FRONT.member(place, touched)
      end
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
