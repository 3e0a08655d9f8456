import { handed, taken } from "./hand.js";
import { key } from "./key.js";
import { beginning, storing } from "./new-jobs.js";

/** What stores the job, of which there is one alone: without a table. `instead` may say that it is ready for nobody else. */
const one = (instead: string): string => String.raw`
  local _, priority, due, _, key, rest = decode(ARGV[3], 5, 1)
  order = order + 1
  local code, score, before = lineFor(priority, due)
  local own, isDue = bytes(">I5", order), code == 2
  local row = own .. six(now) .. pack(due - now, code) .. rest
  -- From here on it writes.
  if call("HSETNX", ${key("rows")}, key, row) == 0 then return 0 end
  if ARGV[4] ~= "" then call("HSET", ${key("bodies")}, unpack(cmsgpack.unpack(ARGV[4]))) end
  ${instead}
  call("ZADD", isDue and ${key("ready")} or ${key("scheduled")}, score, before .. own .. key)
  call("XADD", ${key("listing")}, string.format("%d-1", order), "", key)
  call("SET", ${key("queue")}, pack(epoch, phase, fence, order) .. string.sub(text, after + 1))
  return (isDue and "r" or "s") .. hint()
`;

/**
 * Storing jobs that belong to no flow, hold no key and were given no id: by far the most. Answers of each whether it is ready or
 * scheduled, then whether a few processes heard of them.
 */
export const add: string = String.raw`
${beginning}
-- A list of five is one job alone, and most calls store one.
if string.byte(ARGV[3]) == 149 then
${one("")}
end
${storing}
local list = cmsgpack.unpack(ARGV[3])
local keys = keysOf(list, {})
for _, known in ipairs(many(${key("rows")}, keys)) do if known then return 0 end end

-- From here on it writes. Bodies that stand apart come behind their fields.
if ARGV[4] ~= "" then write("HSET", ${key("bodies")}, cmsgpack.unpack(ARGV[4])) end
return store(list, keys, true) .. hint()
`;

/** One of them alone, where somebody listens: whoever waits for jobs is handed it. */
export const addOne: string = String.raw`
${beginning}
${handed}
${one(taken)}
`;
