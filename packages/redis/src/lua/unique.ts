/** Unique keys: one job each at a time. */
export const unique: string = String.raw`
S.uniques = {}

-- Who has the key, whether or not it is over.
function M.uniqueOf(key)
  local entry = S.uniques[key]
  if entry == nil then
    local text = call("HGET", K.uniques, key)
    entry = false
    if text then
      local fine, holder, till, replacement, state = pcall(decode, text)
      if fine and type(holder) == "string" then
        entry = {holder = holder, ["until"] = till, replacement = replacement, state = state, text = text}
      else
        -- Somebody has written into it: as if he had removed it.
        S.goneUniques = S.goneUniques or {}
        S.goneUniques[key] = true
      end
    end
    S.uniques[key] = entry
  end
  return entry or nil
end

function M.changedUniques()
  local changed, gone = {}, {}
  for key, entry in pairs(S.uniques) do
    if entry then
      local text = pack(entry.holder, entry["until"], entry.replacement, entry.state)
      if text ~= entry.text then
        changed[#changed + 1] = key
        changed[#changed + 1] = text
      end
    end
  end
  for key in pairs(S.goneUniques or {}) do if not S.uniques[key] then gone[#gone + 1] = key end end
  return changed, gone
end

local function isOver(own, row)
  if own["until"] == "started" then return row.attempt > 0 end
  return type(own["until"]) == "number" and own["until"] <= S.now
end

-- A new job takes the key of the one it replaces, so that nobody in line comes between.
function M.take(key, row)
  local before = M.uniqueOf(key)
  S.uniques[key] = {holder = row.id, ["until"] = row.unique["until"], text = before and before.text}
  if type(row.unique["until"]) == "number" then M.expire(row.unique["until"], "u:" .. key) end
  local gate = M.gateOf("unique:" .. key)
  if gate then M.planOpening(gate) end
end

-- The key goes to the first in line that has a use for it, or is free.
local function passOn(key)
  S.uniques[key] = false
  S.goneUniques = S.goneUniques or {}
  S.goneUniques[key] = true
  while true do
    local gate = M.gateOf("unique:" .. key)
    local row = gate and M.headOf(gate)
    if not row then return end
    local takes = row.unique and not isOver(row.unique, row)
    if takes then M.take(key, row) end
    M.letGo(gate, 1)
    if takes then return end
  end
end

-- Who has the key now.
function M.holderOf(key)
  while true do
    local entry = M.uniqueOf(key)
    if not entry then return nil end
    local till = entry["until"]
    if type(till) == "number" then if till > S.now then return entry end
    else
      -- Somebody may have removed the row of the job that has it, or written into it.
      local row = M.rowOf(entry.holder)
      -- One that is final is about to give it back: those in line come first.
      if row and not row.isLost and not FINAL[row.state] then return entry end
    end
    passOn(key)
  end
end

-- Takes the key of a job that is about to wait for its turn, or parks it behind the holder; whether it may go on.
function M.takeOrPark(row)
  local own = row.unique
  if not own or isOver(own, row) then return true end
  local entry = M.holderOf(own.key)
  if entry and entry.holder == row.id then return true end
  if not entry then
    M.take(own.key, row)
    return true
  end
  M.park(row, "unique:" .. own.key)
  return false
end

-- Gives back a key, if the job with this id has it.
function M.freeKey(key, id)
  local entry = M.uniqueOf(key)
  if entry and entry.holder == id then passOn(key) end
end

-- Gives back the key of a job, if it has it.
function M.free(row)
  if row.unique then M.freeKey(row.unique.key, row.id) end
end

function M.freeOnStart(row)
  if row.unique and row.unique["until"] == "started" then M.free(row) end
end

-- The key that a job which is final has to give back; one until an instant stays taken.
function M.freedOnFinal(row)
  local own = row.unique
  if not own then return nil end
  local entry = M.uniqueOf(own.key)
  if entry and entry.replacement == row.id then entry.replacement = nil end
  if entry and entry.holder == row.id and type(own["until"]) ~= "number" then return own.key end
end
`;
