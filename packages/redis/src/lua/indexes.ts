import { numbers } from "./numbers.js";

/** Sorted sets as this call sees them: what it adds and removes is written at its end, and seen at once. */
export const indexes: string = String.raw`
local Index = {}
Index.__index = Index
M.Index = Index
S.indexes = {}

-- Of scores and members; the smaller score first, then the smaller member.
function M.index(key)
  local made = S.indexes[key]
  if not made then
    made = setmetatable({key = key, adds = {}, gone = {}, chunk = {}, at = 1, offset = 0, ended = false}, Index)
    S.indexes[key] = made
  end
  return made
end

local function before(left, right)
  if left[1] ~= right[1] then return left[1] < right[1] end
  return less(left[2], right[2])
end

local function rise(heap, place)
  local item = heap[place]
  while place > 1 do
    local parent = floor(place / 2)
    if not before(item, heap[parent]) then break end
    heap[place] = heap[parent]
    place = parent
  end
  heap[place] = item
end

local function sink(heap)
  local size = #heap
  local last = heap[size]
  heap[size] = nil
  size = size - 1
  if size == 0 then return end
  local place = 1
  while true do
    local child = place * 2
    if child > size then break end
    if child < size and before(heap[child + 1], heap[child]) then child = child + 1 end
    if not before(heap[child], last) then break end
    heap[place] = heap[child]
    place = child
  end
  heap[place] = last
end

function Index:push(score, member)
  self.adds[member] = score
  self.gone[member] = nil
  local heap = self.heap
  if not heap then return end
  heap[#heap + 1] = {score, member}
  rise(heap, #heap)
end

function Index:remove(member)
  self.adds[member] = nil
  self.gone[member] = true
end

-- Leaves a member out until it is put back: so it is passed over.
function Index:leaveOut(score, member)
  local left = {member = member, score = score, isStored = self.adds[member] == nil}
  self:remove(member, score)
  return left
end

function Index:putBack(left)
  if not left.isStored then return self:push(left.score, left.member) end
  self.gone[left.member] = nil
  self.chunk, self.at, self.offset, self.ended = {}, 1, 0, false
end

function Index:has(member)
  if self.adds[member] then return true end
  if self.gone[member] then return false end
  return call("ZSCORE", self.key, member) ~= false
end

function Index:score(member)
  local score = self.adds[member]
  if score then return score end
  if self.gone[member] then return nil end
  local stored = call("ZSCORE", self.key, member)
  return stored and tonumber(stored) or nil
end

-- The first stored one that this call has not touched.
function Index:stored()
  while true do
    local member = self.chunk[self.at]
    if member then
      if not self.gone[member] and not self.adds[member] then return tonumber(self.chunk[self.at + 1]), member end
      self.at = self.at + 2
    elseif self.ended then return nil
    else
      self.chunk = call("ZRANGE", self.key, self.offset, self.offset + 31, "WITHSCORES")
      self.at = 1
      self.offset = self.offset + 32
      self.ended = #self.chunk < 64
    end
  end
end

function Index:added()
  local heap = self.heap
  if not heap then
    if next(self.adds) == nil then return nil end
    -- Made by the first who asks: most of what is added is only written.
    heap = {}
    self.heap = heap
    for member, score in pairs(self.adds) do
      heap[#heap + 1] = {score, member}
      rise(heap, #heap)
    end
  end
  while true do
    local top = heap[1]
    if not top then return nil end
    if self.adds[top[2]] == top[1] then return top[1], top[2] end
    sink(heap)
  end
end

-- The first, with its score.
function Index:peek()
  local score, member = self:stored()
  local other, added = self:added()
  if added and (not member or other < score or (other == score and less(added, member))) then return added, other end
  return member, score
end

function Index:write()
  local removed, added = {}, {}
  for member in pairs(self.gone) do removed[#removed + 1] = member end
  local last, text = nil, nil
  for member, score in pairs(self.adds) do
    if score ~= last then last, text = score, string.format("%.17g", score) end
    added[#added + 1] = text
    added[#added + 1] = member
  end
  if #removed > 0 then M.inCuts("ZREM", self.key, removed, 4000) end
  if #added > 0 then M.inCuts("ZADD", self.key, added, 4000) end
end

-- Lines and holders of all gates share a set each, ordered by members that begin with the number of the gate.
local Line = setmetatable({}, {__index = Index})
Line.__index = Line

function M.lineAt(key, prefix)
  local name = key .. prefix
  local made = S.indexes[name]
  if not made then
    made = setmetatable({key = key, prefix = prefix, adds = {}, gone = {}, chunk = {}, at = 1, ended = false}, Line)
    S.indexes[name] = made
  end
  return made
end

function M.after(prefix)
  -- Numbers are six bytes, and never all ones.
  for place = #prefix, 1, -1 do
    local value = byte(prefix, place)
    if value < 255 then return sub(prefix, 1, place - 1) .. string.char(value + 1) end
  end
end

function Line:stored()
  while true do
    local member = self.chunk[self.at]
    if member then
      if not self.gone[member] and not self.adds[member] then return 0, member end
      self.at = self.at + 1
    elseif self.ended then return nil
    else
      local from = self.last and ("(" .. self.last) or ("[" .. self.prefix)
      self.chunk = call("ZRANGEBYLEX", self.key, from, "(" .. M.after(self.prefix), "LIMIT", 0, 32)
      self.at = 1
      self.last = self.chunk[#self.chunk]
      self.ended = #self.chunk < 32
    end
  end
end

-- How many there are. What this call adds may be stored already, and what it removes need not be.
function Line:size()
  local size = call("ZLEXCOUNT", self.key, "[" .. self.prefix, "(" .. M.after(self.prefix))
  for member in pairs(self.adds) do if not call("ZSCORE", self.key, member) then size = size + 1 end end
  for member in pairs(self.gone) do if call("ZSCORE", self.key, member) then size = size - 1 end end
  return size
end

-- All members, as they are stored and with what this call changed.
function Line:all()
  local found = {}
  for _, member in ipairs(call("ZRANGEBYLEX", self.key, "[" .. self.prefix, "(" .. M.after(self.prefix))) do
    if not self.gone[member] and not self.adds[member] then found[#found + 1] = member end
  end
  for member in pairs(self.adds) do found[#found + 1] = member end
  table.sort(found, less)
  return found
end

-- What is forgotten from an instant on: values, answers, names, logs of limits, unique keys until an instant, holders of locks.
function M.expire(at, name)
  M.index(K.expiry):push(at, name)
end

${numbers}
M.six, M.four = six, four
`;
