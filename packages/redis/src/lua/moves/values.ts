import { READ_AT_ONCE } from "../read-at-once.js";

/** Values by key, beside the jobs. */
export const values: string = String.raw`
local REMEMBERED = 600000
local known = {}

local function get(key)
  local value = known[key]
  if value == nil then
    local text = call("HGET", K.values, key)
    value = false
    if text then
      local fine, number, content, till = pcall(decode, text)
      -- One that somebody has written into has that for its bytes: whoever asks for it finds that they cannot be read.
      local isSound = fine and type(number) == "boolean" and type(content) == (number and "number" or "string")
      if not isSound or (till and type(till) ~= "number") then
        number, content, till = false, text, nil
      end
      value = {number = number, content = content, ["until"] = till}
    end
    known[key] = value
  end
  if value and (not value["until"] or value["until"] > S.now) then return value end
end

local function put(key, value)
  local before = known[key]
  known[key] = value
  if value then
    M.later("HSET", K.values, key, pack(value.number, value.content, value["until"]))
    if value["until"] then M.expire(value["until"], "v:" .. key) end
  else M.later("HDEL", K.values, key) end
  if before and before["until"] and not (value and value["until"]) then M.index(K.expiry):remove("v:" .. key) end
end

local function answerOf(value)
  if not value then return {kind = "none"} end
  if value.number then return {kind = "number", number = value.content} end
  return {kind = "bytes", bytes = value.content}
end

local function remove(key)
  local there = get(key) ~= nil
  if known[key] then put(key, false) end
  return there
end

local function holds(value, bytes)
  return value ~= nil and not value.number and value.content == bytes
end

local function carryOut(one)
  local key, value = one.key, get(one.key)
  if one.kind == "get" then return answerOf(value) end
  if one.kind == "take" then
    remove(key)
    return answerOf(value)
  elseif one.kind == "delete" then return {kind = "done", changed = remove(key)}
  elseif one.kind == "compare-and-delete" then
    local equal = holds(value, one.bytes)
    if value and value.number then equal = value.content == one.number end
    return {kind = "done", changed = equal and remove(key)}
  elseif one.kind == "as-number" then
    local changed = holds(value, one.bytes)
    if changed then put(key, {number = true, content = one.number, ["until"] = value["until"]}) end
    return {kind = "done", changed = changed}
  elseif one.kind == "increment" then
    if value and not value.number then return {kind = "not-a-number"} end
    local number = (value and value.content or 0) + one.by
    if math.abs(number) > ${Number.MAX_SAFE_INTEGER} then return {kind = "not-a-number"} end
    put(key, {number = true, content = number, ["until"] = one.expiresAt or (value and value["until"])})
    return {kind = "number", number = number}
  end
  if one.kind == "set-if-absent" and value then return {kind = "done", changed = false} end
  put(key, {number = false, content = one.bytes, ["until"] = one.expiresAt})
  return {kind = "done", changed = true}
end

return M.run(function()
  local request = S.request
  M.readQueue()
  local changes = false
  for _, one in ipairs(request.operations) do changes = changes or one.kind ~= "get" end
  if changes then M.refuseStill() end
  local name = "a:" .. request.operation
  local before = changes and call("HGET", K.memory, name)
  if before then
    local till, answers = decode(before)
    if till > S.now then return {answers = answers} end
  end
  local answers, size = {}, 0
  for place, one in ipairs(request.operations) do
    local told = carryOut(one)
    answers[place] = told
    size = size + #(told.bytes or "")
    -- The rest is asked for by itself.
    if not changes and size > ${READ_AT_ONCE} then break end
  end
  if changes then
    M.later("HSET", K.memory, name, pack(S.now + REMEMBERED, answers))
    M.expire(S.now + REMEMBERED, name)
  end
  return {answers = answers}
end)
`;
