/** The feed of jobs that became final, written as long as somebody follows. */
export const feed: string = String.raw`
local KEPT, SLACK, KEPT_FOR, ERROR_BYTES = 1000000, 100000, 604800000, 16384

-- A job has become final; its result is at hand.
function M.tellFeed(row)
  local own = Q.x.feed
  if not own or not own["until"] then return end
  own.last = own.last + 1
  if S.now > own["until"] then
    -- Nobody has read for so long: what comes now is not kept, and a number is left out for it.
    own["until"] = nil
    M.clearFeed()
    return
  end
  local bytes = nil
  if (row.state == "failed" or row.state == "quarantined") and row.bytes and M.sizeOfBytes(row) <= ERROR_BYTES then bytes = row.bytes end
  M.later("XADD", K.feed, string.format("%d-1", own.last), "", pack({row.id, row.task, row.state, row.attempt, row.fence, S.now,
    row.startedAt or false, row.reason or false, bytes or false}))
  S.fed = true
end

-- Lets go of everything so far.
function M.clearFeed()
  local own = Q.x.feed
  if not own then return end
  own.gone = own.last
  M.later("UNLINK", K.feed)
  S.fed = false
end

-- Lets go of the oldest.
function M.pruneFeed()
  local own = Q.x.feed
  if not S.fed or not own then return end
  local gone = own.gone
  if own.last - gone > KEPT + SLACK then gone = own.last - KEPT end
  for _ = 1, 10 do
    local entries = call("XRANGE", K.feed, string.format("(%d-1", gone), "+", "COUNT", 100)
    local over = 0
    for _, entry in ipairs(entries) do
      if decode(entry[2][2])[6] >= S.now - KEPT_FOR then break end
      over = over + 1
      gone = tonumber(string.match(entry[1], "^%d+"))
    end
    if over < 100 then break end
  end
  if gone == own.gone then return end
  own.gone = gone
  M.later("XTRIM", K.feed, "MINID", string.format("%d-1", gone + 1))
end

function M.eventOf(entry)
  local id, task, state, attempt, fence, time, started, reason, bytes = unpack(decode(entry[2][2]))
  return {number = tonumber(string.match(entry[1], "^%d+")), id = id, task = task, state = state, attempt = attempt, fence = fence,
    time = time, startedAt = started or nil, reason = reason or nil, error = bytes or nil}
end
`;
