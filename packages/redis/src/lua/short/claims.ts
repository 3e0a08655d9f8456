import { key } from "./key.js";

/**
 * What was claimed is written down by claim, not by job, and how a run of a claim ended beside its row: rows are as they were when
 * they were ready. A claim lists its rows, each as `done` will have it, or behind a byte if something hangs on it, and when its run
 * began, in milliseconds after the claim, or false; then of each gate that is held by one of the others the key of that row, and
 * the name of the gate.
 */
export const claims: string = String.raw`
-- Small numbers, and all that come more than once, are packed once.
local packed = {}
local function packOf(number)
  local text = packed[number]
  if not text then
    text = pack(number)
    packed[number] = text
  end
  return text
end

local function packText(text)
  if #text > 31 then return pack(text) end
  return char(160 + #text) .. text
end

local claims = {}

-- Where nothing stands beside a row, its order stands before its key; where something hangs on it, a byte.
local HANGING = 2
local function keyIn(member)
  local first = byte(member)
  return first == 0 and sub(member, 7) or first == HANGING and sub(member, 2) or member
end

-- What is left of a claim, by its fence; false if nothing is.
local function claimOf(fence)
  if type(fence) ~= "number" or fence ~= fence then return false end
  local own = claims[fence]
  if own == nil then
    local text = call("HGET", ${key("claims")}, string.format("%d", fence))
    own = false
    if text then
      local left, owner, lease, at, list, held = cmsgpack.unpack(text)
      local places, gates = {}, {}
      for place = 1, #list, 2 do places[keyIn(list[place])] = place end
      for place = 1, held and #held or 0, 2 do
        local names = gates[held[place]] or {}
        gates[held[place]] = names
        names[#names + 1] = held[place + 1]
      end
      own = {fence = fence, left = left, owner = owner, lease = lease, at = at, list = list, places = places, held = held, gates = gates}
    end
    claims[fence] = own
  end
  return own
end

-- The run of this row has ended.
local function endInClaim(own, key)
  own.places[key] = nil
  own.left = own.left - 1
  own.changed = true
end

-- How a run ended, in the state of this code: the row does not tell.
local function endOf(own, code, began, now, bytes)
  local heads = own.heads or {}
  own.heads = heads
  local head = heads[code]
  if not head then
    head = pack(code, own.fence, own.owner, now)
    heads[code] = head
  end
  return head .. (began and packOf(now - began) or "\192") .. (bytes and packText(bytes) or "\192")
end

local function writeClaim(fence, left, owner, lease, at, list, held)
  if held and #held == 0 then held = nil end
  call("HSET", ${key("claims")}, fence, pack(left, owner, lease, at, list, held))
end

-- Of pairs, those of rows whose runs have not ended.
local function leftOf(own, list)
  local left, size = {}, 0
  for place = 1, list and #list or 0, 2 do
    if own.places[keyIn(list[place])] then
      left[size + 1], left[size + 2] = list[place], list[place + 1]
      size = size + 2
    end
  end
  return left
end

local function writeClaims()
  for fence, own in pairs(claims) do
    if own and own.changed then
      local field = string.format("%d", fence)
      if own.left == 0 then
        call("HDEL", ${key("claims")}, field)
        call("ZREM", ${key("active")}, "#" .. field)
      else
        writeClaim(field, own.left, own.owner, own.lease, own.at, leftOf(own, own.list), leftOf(own, own.held))
      end
    end
  end
end
`;
