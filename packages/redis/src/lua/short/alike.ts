/**
 * Rows that are like one another, as those of a step mostly are: what they share was read and packed once, with the first of them, and
 * the others are cut and joined. Each text that a script makes is hashed byte by byte, and packing a value makes one.
 */
export const alike: string = String.raw`
local byte, char, find = string.byte, string.char, string.find
-- Of a packed number, by its first byte, how long it is beyond one byte; others are one byte if they are numbers or nil.
local LONG = {[204] = 2, [205] = 3, [206] = 5, [207] = 9, [208] = 2, [209] = 3, [210] = 5, [211] = 9, [202] = 5, [203] = 9}
-- Attempt, failures, crashes, two fences; then what a run leaves: nothing yet.
local FRESH = "\192\0\0\0\0\0\192\192\192\192\192\192\192"

-- Small numbers, and all that come more than once, are packed once.
local packed = {}
local function packOf(number)
  local text = packed[number]
  if not text then
    text = pack(number)
    packed[number] = text
  end
  return text
end

local function packText(text)
  if #text > 31 then return pack(text) end
  return char(160 + #text) .. text
end

-- Whether the due of a row is one byte: that of jobs that were to run at once is.
local function isShort(row)
  local first = byte(row, 12)
  return first < 128 or first > 223
end

local likeReady, likeActive

-- Learns from a row that was claimed: its place behind the suffix, how long its body is if that stands apart, and what it was
-- rewritten with.
local function learnReady(row, tail, size, own, owner, lease)
  if not isShort(row) or byte(row, tail - 8) ~= 168 then return end
  local same = sub(row, 13, tail - 9 - #packOf(size or 0))
  if sub(same, -#FRESH) ~= FRESH then return end
  likeReady = {same = same, behind = 13 + #same,
    front = packOf(4) .. sub(same, 2, -#FRESH - 1) .. "\192\1\0\0" .. packOf(own) .. "\0", back = "\192\192" .. pack(owner, lease)}
end

-- Such a row, claimed, and whether its body stands apart; nil if it is unlike.
local function claimedLike(row, begins, since)
  local like = likeReady
  if not like or not isShort(row) or find(row, like.same, 13, true) ~= 13 then return nil end
  local at = like.behind
  local size = byte(row, at)
  if byte(row, at + (LONG[size] or 1)) ~= 168 then return nil end
  local text = packOf(since)
  return sub(row, 1, 12) .. like.front .. (begins and text or "\192") .. like.back .. text .. "\192" .. sub(row, at), size ~= 192
end

-- Learns from a row of a run that ended: two parts of it that do not change from run to run of a step, each behind a number that does.
local function learnActive(row, tail, task, x, attempt, own, owner)
  if not isShort(row) or byte(row, tail - 8) ~= 168 then return end
  local started, _, _, _, _, _, _, _, _, last = decodeFrom(row, 9, 11)
  local finished = decodeFrom(row, 1, started)
  local since, _, reason = decodeFrom(row, 4, finished)
  if reason then return end
  local first = sub(row, 13, started)
  likeActive = {first = first, second = sub(row, finished + 1, since), fence = own, task = task, attempt = attempt, plain = not x,
    front = sub(first, 2, -#pack(last) - 1) .. pack(own), back = "\192" .. pack(owner) .. "\192\192\192"}
end

-- Such a row, ended in the state of this code, and whether there is nothing beside it; nil if it is unlike, another run's, or if a
-- run began that is to be told of.
local function endedLike(row, id, fence, code, start, ended, bytes)
  local like = likeActive
  if not like or like.fence ~= fence or not isShort(row) or find(row, like.first, 13, true) ~= 13 then return nil end
  local at = 13 + #like.first
  local started = byte(row, at)
  if code ~= 5 and started ~= 192 then return nil end
  at = at + (LONG[started] or 1)
  if find(row, like.second, at, true) ~= at then return nil end
  at = at + #like.second
  at = at + (LONG[byte(row, at)] or 1)
  local odd, size = byte(row, at, at + 1)
  local place = at + 1 + (LONG[size] or 1)
  if odd ~= 192 or byte(row, place) ~= 168 or sub(row, place + 1, place + 8) ~= sub(id, 15) then return nil end
  return sub(row, 1, 12) .. packOf(code) .. like.front .. (code == 5 and packOf(start) or "\192") .. packOf(ended) .. like.back ..
    sub(row, at + 1, -2) .. (bytes and packText(bytes) or "\192"), like.plain and size == 192
end
`;
