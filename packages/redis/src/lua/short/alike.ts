/**
 * Rows that are like one another, as those of a step mostly are: what they share was read once, with the first of them, and is
 * compared with the others as it stands.
 */
export const alike: string = String.raw`
-- Of a packed number, by its first byte, how long it is beyond one byte; others are one byte if they are numbers or nil.
local LONG = {[204] = 2, [205] = 3, [206] = 5, [207] = 9, [208] = 2, [209] = 3, [210] = 5, [211] = 9, [202] = 5, [203] = 9}
-- Attempt, failures, crashes, two fences; then what a run leaves: nothing yet.
local FRESH = "\192\0\0\0\0\0\192\192\192\192\192\192\192"

-- Whether the due of a row is one byte: that of jobs that were to run at once is.
local function isShort(row)
  local first = byte(row, 12)
  return first < 128 or first > 223
end

local like

-- Learns from a row that nobody has run: its task, its place behind the suffix, how long its body is if that stands apart.
local function learn(row, tail, task, size)
  if like or not isShort(row) or byte(row, tail - 8) ~= 168 then return end
  local same = sub(row, 13, tail - 9 - #pack(size))
  if sub(same, -#FRESH) ~= FRESH then return end
  like = {same = same, behind = 13 + #same, task = task}
end

-- Whether a row is like that one; if it is, whether its body stands apart.
local function isLike(row)
  if not like or not isShort(row) or find(row, like.same, 13, true) ~= 13 then return false end
  local size = byte(row, like.behind)
  return byte(row, like.behind + (LONG[size] or 1)) == 168, size ~= 192
end
`;
