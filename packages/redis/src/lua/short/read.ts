import { READ_AT_ONCE } from "../read-at-once.js";
import { isReady } from "./is-ready.js";
import { key } from "./key.js";

/**
 * Reading jobs that belong to nothing and wait for nothing, as whoever waits for a result does: by far the most. ARGV: their
 * ids. Answers 0 when it meets anything else.
 */
export const read: string = String.raw`
local call, decodeFrom, sub = redis.call, cmsgpack.unpack_limit, string.sub
local STATES = {[2] = "ready", [4] = "active", [5] = "completed", [6] = "failed", [7] = "cancelled", [8] = "expired", [9] = "skipped", [10] = "quarantined"}
-- As they stand; they may have been claimed, and ended, since.
local WAITS = {[2] = true, [11] = true}

local text = call("GET", ${key("queue")})
if not text then return 0 end
local _, _, _, later = decodeFrom(text, 3, (decodeFrom(text, 3)))
if later then return 0 end

${isReady}
local records, size = {}, 0
local function look()
  for place, id in ipairs(ARGV) do
    -- The rest is asked for by itself.
    if size > ${READ_AT_ONCE} then break end
    if #id ~= 22 then return false end
    local key = sub(id, 1, 14)
    local row = call("HGET", ${key("rows")}, key)
    if not row then return false end
    local order, at = struct.unpack(">I5I6", row)
    local _, due, code, task, x, attempt, failures, crashes, fence, _, started, finished, reason, owner, _, _, odd, _, suffix, priority, _, bytes =
      decodeFrom(row, 21, 11)
    -- Of what few rows have, these are in no answer: at most once, named, reaped, attempts.
    if not (STATES[code] or WAITS[code]) or odd or not suffix or key .. suffix ~= id or (x and (x[1] == 1 or x[#x - 1] > 5)) then return false end
    local startedAt, finishedAt = started and at + started, finished and at + finished
    if WAITS[code] then
      local text, took = call("HGET", ${key("ended")}, key), nil
      if text then
        code, fence, owner, finishedAt, took, bytes = cmsgpack.unpack(text)
        attempt, startedAt = attempt + 1, took and finishedAt - took
      -- One that is not in line was claimed; scheduled ones may have been promoted.
      elseif code ~= 2 or not isReady(-priority, struct.pack(">I6I6", math.max(0, at + due), order) .. key) then return false end
    end
    if type(bytes) == "number" then bytes = call("HGET", ${key("bodies")}, "r:" .. key) or "" end
    size = size + #(bytes or "")
    records[place] = {kind = "job", id = id, task = task, state = STATES[code], priority = priority, enqueuedAt = at, due = at + due,
      attempt = attempt, failures = failures, crashes = crashes, fence = fence, owner = owner, startedAt = startedAt,
      finishedAt = finishedAt, bytes = bytes, reason = reason}
  end
  return true
end
-- What cannot be read at all is told the long way.
local fine, areAll = pcall(look)
if not fine or not areAll then return 0 end
return cmsgpack.pack({records = records})
`;
