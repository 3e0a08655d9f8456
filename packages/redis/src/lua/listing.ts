/** All rows in the order of enqueue. */
import { BLOCK } from "./block.js";

/** How many a block was begun with, and how many of them are left, as one number. */
const SIZES: number = BLOCK * 2;

/** Takes rows from the listing, by their orders: each entry when all of its rows have gone. Of each queue the two keys. */
export const unlist: string = String.raw`
local function unlist(listing, listed, orders)
  local blocks, names, ids = {}, {}, {}
  for _, order in ipairs(orders) do
    local block = math.floor(order / ${BLOCK})
    if not blocks[block] then
      blocks[block] = {}
      names[#names + 1] = block
    end
    table.insert(blocks[block], order)
  end
  for from = 1, #names, 4000 do
    local to = math.min(from + 3999, #names)
    local sizes = redis.call("HMGET", listed, unpack(names, from, to))
    for place = from, to do
      local block, size, gone = names[place], tonumber(sizes[place - from + 1] or 0) or 0, 0
      for _, order in ipairs(blocks[block]) do
        if order - block * ${BLOCK} < math.floor(size / ${SIZES}) then gone = gone + 1
        else ids[#ids + 1] = string.format("%d-1", order) end
      end
      if gone > 0 and size % ${SIZES} <= gone then
        redis.call("HDEL", listed, block)
        ids[#ids + 1] = string.format("%d-1", block * ${BLOCK})
      elseif gone > 0 then redis.call("HSET", listed, block, size - gone) end
    end
  end
  for from = 1, #ids, 4000 do redis.call("XDEL", listing, unpack(ids, from, math.min(from + 3999, #ids))) end
end
`;

/** Reading it, and what the long scripts change in it. */
export const listing: string = String.raw`
${unlist}
-- Adds a row that is stored alone.
function M.list(row)
  M.later("XADD", K.listing, row.order .. "-1", "", row.key)
end

-- Removes a row, at the end of the call.
function M.unlist(row)
  S.unlisted = S.unlisted or {}
  S.unlisted[row.order] = true
end

function M.writeListing()
  local orders = {}
  for order in pairs(S.unlisted or {}) do orders[#orders + 1] = order end
  if #orders > 0 then unlist(K.listing, K.listed, orders) end
end

-- Goes through the rows behind an order, with their orders and keys, until it is told that it was enough; whether there are no more.
-- Those that have gone are there as nil.
function M.eachListed(order, tell)
  local from = string.format("%d", floor(order / ${BLOCK}) * ${BLOCK})
  while true do
    local entries = call("XRANGE", K.listing, from, "+", "COUNT", 20)
    for _, entry in ipairs(entries) do
      local first, keys = tonumber(string.match(entry[1], "^%d+")), entry[2][2]
      local alone = byte(keys) == 33
      for place = 0, alone and 0 or #keys / 14 - 1 do
        local own = first + place
        if own > order then
          local key = alone and keys or sub(keys, place * 14 + 1, place * 14 + 14)
          local row = M.rowIfRead(key)
          -- The key of one that has gone may be that of another one now.
          if row and row.order ~= own then row = nil end
          if tell(row, own, key) then return false end
        end
      end
      from = "(" .. entry[1]
    end
    if #entries < 20 then return true end
  end
end
`;
