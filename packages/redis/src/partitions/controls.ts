/** What every partition of a queue heeds, for one that is made anew: the others keep it. */
import type { OpenQueue } from "../open-queue.js";
import type { Script } from "../connection/script.js";
import { key, upTo } from "../lua/short/key.js";

/** Whether the queue is paused, tasks that are, and tasks that are revoked, each until when; packed, as the script `open` takes it. */
const controls: Script = upTo(
  "queue",
  "controls",
  String.raw`-- taskq controls
local text = redis.call("GET", ${key("queue")})
if not text then return false end
local values = {pcall(cmsgpack.unpack_limit, text, 17)}
local paused, held, revoked = values[7], values[18], values[19]
-- Of what somebody has written into nothing is known.
if not values[1] or type(paused) ~= "boolean" then return false end
local stopped = {}
for _, own in ipairs(revoked or {}) do
  -- Whether a task is revoked once is kept at home alone.
  if not own[2] then stopped[#stopped + 1] = {own[1], own[3]} end
end
return cmsgpack.pack({paused, held and held[4] or {}, stopped})
`,
);

/** Nothing where no partition is there. */
export async function controlsOf(partitions: readonly OpenQueue[]): Promise<Buffer | undefined> {
  const told = await Promise.all(partitions.map((partition) => partition.run(controls, [])));
  return told.find((reply) => Buffer.isBuffer(reply));
}
