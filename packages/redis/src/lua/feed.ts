/** Writes events behind the last one. */
export const appendEvents: string = String.raw`
-- Answers the number of the last, and a name where others have written into the stream, so that nothing fits behind that any more: then
-- the feed begins anew, under that name, and whoever has read it is told so by that.
local function appendEvents(key, last, list, now)
  for place, text in ipairs(list) do
    local told = redis.pcall("XADD", key, string.format("%d-1", last + place), "", text)
    if type(told) == "table" and told.err then
      redis.call("DEL", key)
      for at, own in ipairs(list) do redis.call("XADD", key, at .. "-1", "", own) end
      return #list, string.format("%x", now)
    end
  end
  return last + #list, nil
end
`;

/** The feed of jobs that became final, written as long as somebody follows. */
export const feed: string = String.raw`
${appendEvents}
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
  M.addEvent(pack({row.id, row.task, row.state, row.attempt, row.fence, S.now,
    row.startedAt or false, row.reason or false, bytes or false}))
end

-- It has a number already.
function M.addEvent(text)
  insert(S.events, text)
  S.fed = true
end

-- Behind all that is written but the row of the queue.
function M.writeEvents()
  if #S.events == 0 then return end
  local own, anew = Q.x.feed, nil
  own.last, anew = appendEvents(K.feed, own.last - #S.events, S.events, S.now)
  if anew then own.tag, own.gone = anew, 0 end
end

-- Lets go of everything so far.
function M.clearFeed()
  local own = Q.x.feed
  if not own then return end
  own.gone = own.last
  M.later("UNLINK", K.feed)
  S.fed, S.events = false, {}
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
      local event = M.eventOf(entry)
      if event and event.time >= S.now - KEPT_FOR then break end
      over = over + 1
      if event then gone = event.number else M.later("XDEL", K.feed, entry[1]) end
    end
    if over < 100 then break end
  end
  if gone == own.gone then return end
  own.gone = gone
  M.later("XTRIM", K.feed, "MINID", string.format("%d-1", gone + 1))
end

-- Nothing of what others have put there.
function M.eventOf(entry)
  local number = string.match(entry[1], "^(%d+)%-1$")
  local fine, values = pcall(decode, entry[2][2])
  if not (number and fine and type(values) == "table" and type(values[1]) == "string" and type(values[6]) == "number") then return nil end
  local id, task, state, attempt, fence, time, started, reason, bytes = unpack(values)
  return {number = tonumber(number), id = id, task = task, state = state, attempt = attempt, fence = fence,
    time = time, startedAt = started or nil, reason = reason or nil, error = bytes or nil}
end
`;
