import { key } from "./key.js";
import { beginning, storing } from "./new-jobs.js";

/**
 * Storing jobs that belong to no flow, hold no key and were given no id: by far the most. Answers of each whether it is ready or
 * scheduled, then whether a few processes heard of them.
 */
export const add: string = String.raw`
${beginning}
-- A list of five is one job alone, and most calls store one: without a table.
if string.byte(ARGV[3]) == 149 then
  local _, priority, due, _, key, rest = decode(ARGV[3], 5, 1)
  order = order + 1
  local code, score, before = lineFor(priority, due)
  local own, isDue = bytes(">I5", order), code == 2
  -- From here on it writes.
  if call("HSETNX", ${key("rows")}, key, own .. bytes(">I6", now) .. pack(due - now, code) .. rest) == 0 then return 0 end
  if ARGV[4] ~= "" then call("HSET", ${key("bodies")}, unpack(cmsgpack.unpack(ARGV[4]))) end
  call("ZADD", isDue and ${key("ready")} or ${key("scheduled")}, score, before .. own .. key)
  call("XADD", ${key("listing")}, string.format("%d-1", order), "", key)
  call("SET", ${key("queue")}, pack(epoch, phase, fence, order) .. string.sub(text, after + 1))
  return (isDue and "r" or "s") .. hint()
end
${storing}
local keys, states, list, at = {}, "", cmsgpack.unpack(ARGV[3]), 1
while list[at] do
  local past = at + 3 + list[at + 2] * 2
  for place = at + 3, past - 1, 2 do keys[#keys + 1] = list[place] end
  states = states .. string.rep(list[at + 1] <= now and "r" or "s", list[at + 2])
  at = past
end
local count = #keys
for from = 1, count, 4000 do
  local known = call("HMGET", ${key("rows")}, unpack(keys, from, math.min(from + 3999, count)))
  for place = 1, #known do if known[place] then return 0 end end
end

-- From here on it writes. Bodies that stand apart come behind their fields.
if ARGV[4] ~= "" then inCuts("HSET", ${key("bodies")}, cmsgpack.unpack(ARGV[4])) end
store(list, keys, true)
return states .. hint()
`;
