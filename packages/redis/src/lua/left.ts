/**
 * Ids of what is still to be done, first to last, which later scripts go on with. Those of earlier ones are stored in parts, of which
 * each script reads those that it needs, and writes none anew: they may be tens of thousands.
 */
export const left: string = String.raw`
-- known: its name, its first and last part, and how many of the first are done, as an earlier script has left it.
function M.idsOf(known)
  local name, first, last, done = unpack(known or {})
  return {name = name, first = first or 1, last = last or 0, from = (done or 0) + 1, read = {}, added = {}}
end

local function make()
  local L, names, goesOn, AT_ONCE = {}, 0, false, 200

  local function fieldOf(ids, part)
    return ids.name .. ":" .. string.format("%d", part)
  end

  -- The next part, when what was read is done; whether there is one.
  function L.readOn(ids)
    if ids.stored then
      ids.over = ids.over or {}
      insert(ids.over, fieldOf(ids, ids.first))
      ids.first, ids.stored, ids.read, ids.from = ids.first + 1, false, {}, 1
    end
    if ids.first > ids.last then return false end
    local fine, list = pcall(decode, call("HGET", K.later, fieldOf(ids, ids.first)) or "")
    if fine and type(list) == "table" then ids.read, ids.stored = list, true
    -- What somebody has removed, or written into, ends the list.
    else ids.last, ids.from = ids.first - 1, 1 end
    return ids.stored
  end

  local function write(ids, list, from)
    for at = from, #list, AT_ONCE do
      ids.last = ids.last + 1
      call("HSET", K.later, fieldOf(ids, ids.last), pack({unpack(list, at, math.min(at + AT_ONCE - 1, #list))}))
    end
  end

  -- Writes what this script has added, and answers where the next one goes on.
  function L.keep(ids)
    if not ids.name then
      names = names + 1
      ids.name = string.format("%d", names)
    end
    for _, field in ipairs(ids.over or {}) do call("HDEL", K.later, field) end
    local done = ids.from - 1
    if not ids.stored and ids.first > ids.last then
      -- What is left of what this script has added itself.
      write(ids, ids.read, ids.from)
      done = 0
    end
    write(ids, ids.added, 1)
    return {ids.name, ids.first, ids.last, done}
  end

  -- What earlier scripts have left; nothing if there is none.
  function L.read()
    local fine, known = pcall(decode, call("HGET", K.later, "") or "")
    if not fine or type(known) ~= "table" then return nil end
    names, goesOn = known.names, true
    return known
  end

  -- tell: keeps the ids, and answers what else there is to be known of them.
  function L.write(tell)
    if not goesOn then call("DEL", K.later) end
    local known = tell()
    known.names = names
    call("HSET", K.later, "", pack(known))
  end
  return L
end

-- Few calls leave anything: these functions are made when the first one is asked for.
local made = nil
function M.leftBefore()
  made = made or make()
  return made
end

-- Whoever has dealt with it adds one to from.
function M.firstOf(ids)
  while ids.read[ids.from] == nil do
    if not (ids.name and M.leftBefore().readOn(ids)) then
      if #ids.added == 0 then return nil end
      ids.read, ids.added, ids.from = ids.added, {}, 1
    end
  end
  return ids.read[ids.from]
end
`;
