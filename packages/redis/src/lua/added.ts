/**
 * What stands beside a row, since it may be much: edges of a job beyond the first, and whatever members of a join have added, have a
 * field each, so that neither the row nor the others are written anew with each that is added, or ends. `more` of the row counts them.
 */
export const added: string = String.raw`
local function make()
  local B, entries, standings = {}, {}, {}

  local function fieldOf(row, place)
    return "a" .. string.format("%d", place) .. ":" .. row.key
  end

  -- What somebody has written there is nothing.
  local function entryFrom(text)
    local fine, first, second, third = pcall(decode, text or "")
    return fine and type(first) == "string" and type(second) == "string" and {first, second, third or false}
  end

  -- By place. Of a job: whose end it waits for, and on what condition. Of a join: the member that added it, its end, and how that has ended:
  -- "b" if it breaks the join, "o" otherwise, false as long as it has not.
  local function entriesOf(row)
    local own = entries[row.key]
    if not own then
      own = {}
      entries[row.key] = own
    end
    return own
  end

  -- The last place. Whatever somebody has written into the row, whoever goes through them comes to an end.
  local function placesOf(row)
    if type(row.more) ~= "number" then return 0 end
    return math.min(row.more, call("HLEN", K.bodies) + (entriesOf(row).put or 0))
  end

  local function entryAt(row, place)
    if type(place) ~= "number" then return nil end
    local own = entriesOf(row)
    if own[place] == nil then own[place] = entryFrom(M.apartAt(fieldOf(row, place))) end
    return own[place] or nil
  end

  local function keep(row, place, entry)
    entriesOf(row)[place] = entry
    S.apart[fieldOf(row, place)] = pack(unpack(entry))
  end

  function B.put(row, entry)
    local own = entriesOf(row)
    row.more, own.put = (row.more or 0) + 1, (own.put or 0) + 1
    keep(row, row.more, entry)
    return row.more
  end

  -- All of them, as they were added; told with their places.
  function B.each(row, see)
    local own, count = entriesOf(row), placesOf(row)
    for from = 1, count, 1000 do
      local fields, places = {}, {}
      local to = math.min(from + 999, count)
      for place = from, to do
        if own[place] == nil then
          places[#places + 1], fields[#fields + 1] = place, fieldOf(row, place)
        end
      end
      local texts = #fields > 0 and call("HMGET", K.bodies, unpack(fields)) or {}
      for at, place in ipairs(places) do own[place] = entryFrom(texts[at]) end
      for place = from, to do if own[place] then see(own[place], place) end end
    end
  end

  -- What a job waits for, or waited for: those in its row, and these.
  function B.edgesOf(row)
    local edges = {}
    for place, edge in ipairs(row.edges or {}) do edges[place] = edge end
    B.each(row, function(edge) edges[#edges + 1] = edge end)
    return edges
  end

  local function standingField(join, member)
    return "m" .. #join.key .. ":" .. join.key .. member
  end

  -- Of a member that added flows: how many of them have not ended, the first end that broke the join, and whether it was counted.
  function B.standingOf(join, member)
    local field = standingField(join, member)
    local own = standings[field]
    if own == nil then
      local fine, open, broken, counted = pcall(decode, M.apartAt(field) or "")
      own = fine and type(open) == "number" and {open = open, broken = broken, counted = counted}
      standings[field] = own
    end
    return own or nil
  end

  function B.keepStanding(join, member, own)
    local field = standingField(join, member)
    standings[field] = own
    S.apart[field] = pack(own.open, own.broken or false, own.counted)
  end

  local function count(own, ending, how)
    if not how then own.open = own.open + 1 end
    if how == "b" then own.broken = own.broken or ending end
  end

  -- A flow that a member added; answers its place.
  function B.putAdded(join, member, ending, how)
    local place = B.put(join, {member, ending, how})
    local own = B.standingOf(join, member) or {open = 0, broken = false, counted = false}
    count(own, ending, how)
    B.keepStanding(join, member, own)
    return place
  end

  -- Notes it once, however often it is told.
  function B.noteAdded(join, place, how)
    local entry = entryAt(join, place)
    local own = entry and B.standingOf(join, entry[1])
    if not own or entry[3] or not how then return end
    keep(join, place, {entry[1], entry[2], how})
    own.open = math.max(0, own.open - 1)
    if how == "b" then own.broken = own.broken or entry[2] end
    B.keepStanding(join, entry[1], own)
  end

  -- Looks anew at how all of them have ended; answers how the members stand, by their ids: as if all had been counted.
  function B.noteAllAdded(join, endOf)
    local all = {}
    B.each(join, function(entry, place)
      local how = endOf(entry[2])
      if how ~= entry[3] then keep(join, place, {entry[1], entry[2], how}) end
      local own = all[entry[1]] or {open = 0, broken = false, counted = true}
      all[entry[1]] = own
      count(own, entry[2], how)
    end)
    for member, own in pairs(all) do B.keepStanding(join, member, own) end
    return all
  end

  -- Ends of so many of what members of a join have added, from this place on, and the place behind them, if there are more.
  function B.endsFrom(join, place, count)
    local ids, behind = {}, math.min(place + count, placesOf(join) + 1)
    for at = place, behind - 1 do
      local entry = entryAt(join, at)
      if entry then ids[#ids + 1] = entry[2] end
    end
    return ids, behind <= placesOf(join) and behind or nil
  end

  function B.forget(row)
    local fields, known = {}, {}
    B.each(row, function(entry, place)
      fields[#fields + 1] = fieldOf(row, place)
      if row.kind == "join" and not known[entry[1]] then
        known[entry[1]] = true
        fields[#fields + 1] = standingField(row, entry[1])
      end
    end)
    for from = 1, #fields, 1000 do M.later("HDEL", K.bodies, unpack(fields, from, math.min(from + 999, #fields))) end
  end
  return B
end

-- Few calls need any of it: its functions are made when the first one is asked for.
local made = nil
function M.beside()
  made = made or make()
  return made
end
`;
