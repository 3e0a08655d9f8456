/** Ids of what is still to be done, first to last, which later scripts go on with. */
export const left: string = String.raw`
-- Those of earlier scripts are stored in parts of so many, of which each script reads those that it needs, and writes none anew: they may be
-- tens of thousands.
local AT_ONCE = 200
local names = 0

-- known: its name, its first and last part, and how many of the first are done, as an earlier script has left it.
function M.idsOf(known)
  local name, first, last, done = unpack(known or {})
  return {name = name, first = first or 1, last = last or 0, from = (done or 0) + 1, read = {}, added = {}}
end

local function fieldOf(ids, part)
  return ids.name .. ":" .. string.format("%d", part)
end

-- The next part, when what was read is done; whether there is one.
local function readOn(ids)
  if ids.stored then
    ids.first, ids.stored, ids.from = ids.first + 1, false, 1
    ids.over = ids.over or {}
    insert(ids.over, fieldOf(ids, ids.first - 1))
  end
  if ids.first <= ids.last then
    local fine, list = pcall(decode, call("HGET", K.later, fieldOf(ids, ids.first)) or "")
    -- What somebody has removed, or written into, ends the list.
    if fine and type(list) == "table" then
      ids.read, ids.stored = list, true
      return true
    end
    ids.last = ids.first - 1
  end
  ids.read, ids.added, ids.from = ids.added, {}, 1
  return #ids.read > 0
end

-- Whoever has dealt with it adds one to from.
function M.firstOf(ids)
  while ids.read[ids.from] == nil and readOn(ids) do end
  return ids.read[ids.from]
end

local function write(ids, list, from)
  for at = from, #list, AT_ONCE do
    ids.last = ids.last + 1
    call("HSET", K.later, fieldOf(ids, ids.last), pack({unpack(list, at, math.min(at + AT_ONCE - 1, #list))}))
  end
end

-- Writes what this script has added, and answers where the next one goes on.
function M.keepIds(ids)
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
function M.readLeft()
  local fine, known = pcall(decode, call("HGET", K.later, "") or "")
  if not fine or type(known) ~= "table" then return nil end
  names = known.names
  S.goesOn = true
  return known
end

-- tell: keeps the ids, and answers what else there is to be known of them.
function M.writeLeft(tell)
  if not S.goesOn then call("DEL", K.later) end
  local known = tell()
  known.names = names
  call("HSET", K.later, "", pack(known))
end
`;
