/** Reading the feed, which is written from then on. */
export const events: string = String.raw`
local request = S.request
local KEPT_FOR, DAY = 604800000, 86400000

local function positionOf(own)
  if request.from == "now" then return own.last end
  if request.from == "start" then return own.gone end
  local tag, number = string.match(request.from, "^(%w+)%.(%d+)")
  number = tonumber(number)
  if tag == own.tag and number >= own.gone and number <= own.last then return number end
end

-- A queue that is still only shows what it has.
return M.run(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  local still, own = M.isStill(), Q.x.feed
  if Q.phase == "arriving" or (still and not (own and own["until"])) then M.moved() end
  own = own or {tag = request.tag, last = 0, gone = 0}
  local isOver = Q.phase == "left" and own.gone == own.last
  local position = isOver and own.last or positionOf(own)
  if not position then return {lost = own} end
  if Q.phase == "left" and position == own.last then M.moved(", where its feed goes on") end
  -- It goes on for seven days at least, and for a day more, so that a reader writes once a day.
  if not still and (own["until"] or 0) < S.now + KEPT_FOR then
    own["until"] = S.now + KEPT_FOR + DAY
    Q.x.feed = own
  end
  local events, time = {}, nil
  -- The event of the cursor comes first, if it is kept.
  for _, entry in ipairs(call("XRANGE", K.feed, string.format("%d-1", position), "+", "COUNT", request.limit + 1)) do
    local event = M.eventOf(entry)
    -- What others have put there would be met again and again.
    if not event then M.later("XDEL", K.feed, entry[1])
    elseif event.number == position then time = event.time
    elseif #events < request.limit then events[#events + 1] = event end
  end
  return {events = events, tag = own.tag, position = position, time = time, isKept = position > own.gone}
end)
`;
