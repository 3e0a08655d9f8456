/**
 * Rows that are like one another, as those of a step mostly are: what they share was read once, with the first of them, and is
 * compared with the others as it stands.
 */
export const alike: string = String.raw`
-- Of a packed number, by its first byte, how long it is beyond one byte; others are one byte if they are numbers or nil.
local LONG = {[204] = 2, [205] = 3, [206] = 5, [207] = 9, [208] = 2, [209] = 3, [210] = 5, [211] = 9, [202] = 5, [203] = 9}
-- Attempt, failures, crashes, two fences; then what a run leaves: nothing yet.
local FRESH = "\192\0\0\0\0\0\192\192\192\192\192\192\192"

local like

-- Learns from a row that nobody has run: its task, its place behind the suffix, how long its body is if that stands apart.
local function learn(row, tail, task, size)
  if like or byte(row, tail - 8) ~= 168 then return end
  -- Behind the due: how long that is differs.
  local same = sub(row, 12 + (LONG[byte(row, 12)] or 1), tail - 9 - #pack(size))
  if sub(same, -#FRESH) ~= FRESH then return end
  like = {same = same, task = task}
end

-- Whether a row is like that one; if it is, how long its body is if that stands apart.
local function isLike(row)
  if not like then return false end
  local from = 12 + (LONG[byte(row, 12)] or 1)
  if find(row, like.same, from, true) ~= from then return false end
  local behind = from + #like.same
  local size = byte(row, behind)
  if byte(row, behind + (LONG[size] or 1)) ~= 168 then return false end
  if size == 192 then return true end
  local _, length = decodeFrom(row, 1, behind - 1)
  return true, length
end
`;
