/**
 * Jobs that were stored together, alike in priority and due, and that have all been ready since: some of a block of the listing are one
 * entry of `blocks`, scored as they would be among the ready ones. Its member is when they became due (6 bytes) and the
 * order of the first (6), as theirs would begin; their keys stand in the listing. Whoever needs one of them by itself opens the block:
 * then each stands for itself, and nobody could tell that it was otherwise before.
 */
import { BLOCK, TOGETHER } from "./block.js";

/** Bytes of a member. */
const HEAD = 12;
const KEY = 14;

/** The order of the line, in which a block stands where its first job would. */
export const isBefore: string = String.raw`
-- Whether an entry comes before this place in line, or is there.
local function isBefore(member, score, other, due, order)
  if score ~= other then return score < other end
  -- One that is shorter than any of ours is to go first.
  if #member < ${HEAD} then return true end
  local own, first = struct.unpack(">I6I6", member)
  return own < due or (own == due and first <= order)
end
`;

/** The jobs of a block. */
export const blocksIn = (blocks: string, listing: string): string => String.raw`
local Blocks = {}

-- Adds the keys of those in a block to a list, in a row, behind so many; whether the listing knows them.
Blocks.text = ""
function Blocks.addKeys(block, list, size)
  local cut, text = string.sub, Blocks.text
  local first = #block == ${HEAD} and struct.unpack(">I6", block, 7) or 0
  local offset = first % ${BLOCK}
  -- Blocks that follow one another mostly lie in one entry.
  if Blocks.entry ~= first - offset then
    local id = string.format("%d-1", first - offset)
    local found = redis.call("XRANGE", ${listing}, id, id)[1]
    text = found and found[2][2] or ""
    Blocks.entry, Blocks.text = first - offset, text
  end
  if #text % ${KEY} ~= 0 or #text < (offset + ${TOGETHER}) * ${KEY} then return false end
  local at = offset * ${KEY}
  for place = size + 1, size + ${TOGETHER} do
    list[place] = cut(text, at + 1, at + ${KEY})
    at = at + ${KEY}
  end
  return true
end

function Blocks.keys(block)
  local keys = {}
  Blocks.addKeys(block, keys, 0)
  return keys
end

-- The members that they have by themselves.
function Blocks.open(block)
  local keys, members = Blocks.keys(block), {}
  if #keys == 0 then return members end
  local due, first = string.sub(block, 1, 6), struct.unpack(">I6", block, 7)
  for place, key in ipairs(keys) do members[place] = due .. struct.pack(">I6", first + place - 1) .. key end
  return members
end

-- Adds them, each behind its score, to a list; whether there are any.
function Blocks.addOpened(block, score, list)
  local members = Blocks.open(block)
  for _, member in ipairs(members) do
    list[#list + 1] = score
    list[#list + 1] = member
  end
  return #members > 0
end
`;

/** Looking for single jobs in them, behind both. */
export const findingIn = (ready: string, blocks: string): string => String.raw`
-- The entry at this place, with its score.
local function entryAt(at, place)
  local member, score = unpack(redis.call("ZRANGE", at, place, place, "WITHSCORES"))
  return member, tonumber(score)
end

-- The first block, with its score, if there are any.
function Blocks.head()
  local first = Blocks.first
  if not first then
    first = {entryAt(${blocks}, 0)}
    Blocks.first = first
  end
  return first[1], first[2]
end

-- How many entries of a set come before a place in line, or are there.
local function countBefore(at, score, due, order)
  local low, high = 0, redis.call("ZCARD", at)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local own, other = entryAt(at, middle)
    if isBefore(own, other, score, due, order) then low = middle + 1 else high = middle end
  end
  return low
end

-- Of a job with this score and member: how many come before it in its block, that block, and how many blocks come before. Nothing if
-- it stands in none.
function Blocks.find(score, member)
  local first, best = Blocks.head()
  if not first then return nil end
  local due, order = struct.unpack(">I6I6", member)
  if not isBefore(first, best, score, due, order) then return nil end
  local place = countBefore(${blocks}, score, due, order) - 1
  local block, other = entryAt(${blocks}, place)
  if not block or #block < ${HEAD} or other ~= score then return nil end
  local own, start = struct.unpack(">I6I6", block)
  if own ~= due or order - start >= ${TOGETHER} then return nil end
  return order - start, block, place
end

-- How many ready jobs come before this one.
function Blocks.rank(score, member)
  local due, order = struct.unpack(">I6I6", member)
  local place = redis.call("ZRANK", ${ready}, member)
  if place then return place + countBefore(${blocks}, score, due, order) * ${TOGETHER} end
  local offset, _, before = Blocks.find(score, member)
  return offset and countBefore(${ready}, score, due, order) + before * ${TOGETHER} + offset
end
`;

/** The ready ones, as the long scripts see them: a block is opened when the first of it is looked for, or one of it is taken out. */
export const blocks: string = String.raw`
${isBefore}
${blocksIn("K.blocks", "K.listing")}
${findingIn("K.ready", "K.blocks")}
M.blocks = Blocks
local Index = M.Index
local Ready = setmetatable({}, {__index = Index})
Ready.__index = Ready
setmetatable(M.index(K.ready), Ready)

-- At once: it changes nothing.
local function open(block, score)
  local list = {}
  if Blocks.addOpened(block, string.format("%.17g", score), list) then call("ZADD", K.ready, unpack(list)) end
  call("ZREM", K.blocks, block)
  Blocks.first = nil
end

function Ready:has(member, score)
  return Index.has(self, member) or (not self.gone[member] and Blocks.find(score, member) ~= nil)
end

-- Its score is needed where it may stand in a block.
function Ready:remove(member, score)
  if score and not self.adds[member] and Blocks.head() and not call("ZSCORE", self.key, member) then
    local _, block = Blocks.find(score, member)
    if block then open(block, score) end
  end
  Index.remove(self, member)
end

function Ready:stored()
  while true do
    local score, member = Index.stored(self)
    local block, best = Blocks.head()
    if not block then return score, member end
    if member and #member < ${HEAD} then return score, member end
    if member and not isBefore(block, best, score, struct.unpack(">I6I6", member)) then return score, member end
    open(block, best)
    self.chunk, self.at, self.offset, self.ended = {}, 1, 0, false
  end
end

-- How many are ready; those of a higher priority only, if a score is given.
function M.countReady(score)
  local till = score and "(" .. string.format("%.17g", score) or "+inf"
  return call("ZCOUNT", K.ready, "-inf", till) + call("ZCOUNT", K.blocks, "-inf", till) * ${TOGETHER}
end
`;
