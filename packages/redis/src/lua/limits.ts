/** Starts under limits: a sliding log for each key. */
export const limits: string = String.raw`
-- A log has a number; its starts are members of one set: number, instant, place, holder and fence.
S.logs = {}

local function logOf(key, make)
  local log = S.logs[key]
  if log == nil then
    local text = call("HGET", K.limits, key)
    local fine, number, span = pcall(decode, text or "")
    -- One that somebody has written into is as if he had removed it.
    if fine and type(number) == "number" and type(span) == "number" then log = {key = key, number = number, span = span, text = text}
    else log = false end
    S.logs[key] = log
  end
  if not log and make then
    log = {key = key, number = M.nextOrder(), span = 0}
    S.logs[key] = log
  end
  return log or nil
end

local function countBetween(log, from, to)
  local prefix = M.six(log.number)
  local starts = M.lineAt(K.starts, prefix)
  local first, last = prefix .. M.six(from), prefix .. M.six(to)
  local count = call("ZLEXCOUNT", K.starts, "[" .. first, "(" .. last)
  for member in pairs(starts.gone) do if not less(member, first) and less(member, last) then count = count - 1 end end
  for member in pairs(starts.adds) do if not less(member, first) and less(member, last) then count = count + 1 end end
  return count
end

-- Starts with which one of now shares a window, those of a clock that was ahead among them. Those further ahead than the
-- window are of a clock that has been set back since.
function M.countStarts(own)
  local log = logOf(own.key)
  if not log then return 0 end
  local per = own.per or 0
  return countBetween(log, S.now - per + 1, S.now + per)
end

-- Whether the instant at which its line opens is of a clock that has been set back since: no window is that long.
function M.isAheadOfWindow(key, at)
  local log = logOf(key)
  return at > S.now + (log and log.span or 0)
end

-- The start that so many others follow of those before a bound, itself among them; nil: there are fewer. No more are read than this
-- call has changed, however long the log: one that lets thousands start would else be read whole for each of them.
local function fromNewest(prefix, bound, back)
  local starts = M.lineAt(K.starts, prefix)
  local first, ends = call("ZLEXCOUNT", K.starts, "-", "(" .. prefix), call("ZLEXCOUNT", K.starts, "-", "(" .. bound)
  local found, gone = {}, 0
  for member in pairs(starts.adds) do if less(member, bound) then found[#found + 1] = member end end
  for _ in pairs(starts.gone) do gone = gone + 1 end
  -- So many of the stored ones come after it, whatever was added.
  local after = math.min(math.max(0, back - 1 - #found), ends - first)
  local lowest, highest = math.max(first, ends - back - gone), ends - 1 - after
  local read = lowest <= highest and call("ZRANGE", K.starts, lowest, highest) or {}
  local newest = read[#read]
  for _, member in ipairs(read) do if not starts.gone[member] and not starts.adds[member] then found[#found + 1] = member end end
  for member in pairs(starts.gone) do
    if newest and less(newest, member) and less(member, bound) and call("ZSCORE", K.starts, member) then after = after - 1 end
  end
  table.sort(found, less)
  return found[#found - (back - after) + 1]
end

-- When a window has room for one more; nil: no time tells. reserved: starts that are promised already.
function M.instantOfRoom(own, reserved)
  local free = own.max - reserved
  if free <= 0 then return nil end
  local log = logOf(own.key)
  if not log then return S.now end
  local prefix, per = M.six(log.number), own.per or 0
  local member = fromNewest(prefix, prefix .. M.six(S.now + per), free)
  if not member then return S.now end
  return struct.unpack(">I6", member, 7) + per
end

function M.addStart(own, holder, fence)
  local log = logOf(own.key, true)
  local per = own.per or 0
  if per > log.span then log.span = per end
  local prefix = M.six(log.number)
  local starts = M.lineAt(K.starts, prefix)
  starts:push(0, prefix .. M.six(S.now) .. M.six(M.nextOrder()) .. M.six(fence % 281474976710656) .. holder)
  -- Each start removes some that are over.
  local over = call("ZRANGEBYLEX", K.starts, "[" .. prefix, "(" .. prefix .. M.six(S.now - log.span + 1), "LIMIT", 0, 8)
  for _, member in ipairs(over) do starts:remove(member) end
  M.expire(S.now + log.span, "l:" .. own.key)
end

-- A start that was written down elsewhere; one that is there is the same.
function M.mergeStart(key, time, holder, fence, till)
  local log = logOf(key, true)
  log.span = math.max(log.span, till - time)
  local prefix = M.six(log.number)
  local starts, wanted = M.lineAt(K.starts, prefix), M.six(fence % 281474976710656) .. holder
  local at = prefix .. M.six(time)
  for _, member in ipairs(call("ZRANGEBYLEX", K.starts, "[" .. at, "(" .. M.after(at))) do
    if sub(member, 19) == wanted then return end
  end
  starts:push(0, at .. M.six(M.nextOrder()) .. wanted)
  local known = M.index(K.expiry):score("l:" .. key) or 0
  M.expire(math.max(known, time + log.span), "l:" .. key)
end

-- All of its starts are over.
function M.forgetLog(key)
  local log = logOf(key)
  if not log then return end
  local prefix = M.six(log.number)
  M.later("ZREMRANGEBYLEX", K.starts, "[" .. prefix, "(" .. M.after(prefix))
  M.later("HDEL", K.limits, key)
  S.logs[key] = false
end

-- Takes a start back; whether it was there.
function M.removeStart(key, holder, fence)
  local log = logOf(key)
  if not log then return false end
  local starts = M.lineAt(K.starts, M.six(log.number))
  local wanted = M.six(fence % 281474976710656) .. holder
  for _, member in ipairs(starts:all()) do
    if sub(member, 19) == wanted then
      starts:remove(member)
      return true
    end
  end
  return false
end

function M.changedLogs()
  local changed = {}
  for key, log in pairs(S.logs) do
    if log then
      local text = pack(log.number, log.span)
      if text ~= log.text then
        changed[#changed + 1] = key
        changed[#changed + 1] = text
      end
    end
  end
  return changed
end
`;
