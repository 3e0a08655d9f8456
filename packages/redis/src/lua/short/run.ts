/** How a step is run: the short way, the rest of the script where there is one, and what one of them leaves to the other. */
import { takenBack, wait } from "./hand.js";
import { key } from "./key.js";

/**
 * What the parts of the script say to each other: what is settled `ahead` of all else (then it `isDone`; `areAll`: there is no other), what the short way is to do
 * `again` since jobs went on from lines, the `effects` of all, what is left to `others`, whether the rest did anything (`hasRest`), and whether the short
 * way has begun to write (`writes`).
 */
export const shared: string = `local SAID = {}\n${wait}`;

/** The short way. */
const begun: string = String.raw`
${takenBack}
local reply, told = nil, nil
-- As short-answer.ts reads them.
local HEARD, UNCLAIMED, WITH_REST, WAITS = 2, 8, 16, 32

-- What is known of the queue is known no more.
local function begin()
  claims, gates, logs, uniques, LINES = {}, {}, {}, {}, {opened = {}, parked = {}}
  SAID.writes = nil
  local fine
  fine, reply = pcall(short)
  if fine then return end
  if SAID.writes then error(reply, 0) end
  -- It met what it cannot read, and has done nothing: the rest of the script puts that aside.
  claims, gates, logs, uniques, LINES, reply = {}, {}, {}, {}, {opened = {}, parked = {}}, nil
end
begin()
`;

/** All is settled, and jobs went on from lines: they are claimed like all others. Who did not get them is to hear of them. */
const goneOn: string = String.raw`
if SAID.again and ARGV[5] ~= "" then
  local done = reply
  SAID.ahead = {isDone = true, areAll = true}
  begin()
  if not reply and not general then
    reply = done
    reply[1] = UNCLAIMED
  end
  if reply and SAID.again.heard then reply[1] = reply[1] + HEARD end
end
`;

/** The answer of it all. */
const ended: string = String.raw`
local hints = nil
for _, own in ipairs(SAID.again and SAID.again.opened or {}) do
  if not hints and call("ZSCORE", ${key("ready")}, own.member) then
    hints = {ready = true}
    if ARGV[2] ~= "" then call(ARGV[2], ${key("wake")}, pack(hints)) end
  end
end
if told or not reply then return told or 0 end
if SAID.hasRest then reply[1] = reply[1] + WITH_REST end
if (reply[1] == 0 or reply[1] == HEARD) and reply[4] == 0 and waits(tonumber(reply[3]), tonumber(reply[2])) then reply[1] = reply[1] + WAITS end
if SAID.effects then reply[8] = SAID.others and SAID.others.told or pack({effects = SAID.effects, hints = hints}) end
return reply
`;

/** Where there is no rest of the script: answers 0 if it did nothing. */
export const alone: string = `${begun}${goneOn}${ended}`;

/**
 * The rest does what the short way has left, if it did anything. What others wait for that only the rest knows is settled by it first, and
 * alone: then the short way begins anew.
 */
export const both: string = String.raw`
${begun}
if SAID.ahead then
  told = general()
  if not SAID.ahead.isDone then return told end
  told, SAID.hasRest = nil, true
  begin()
end
${goneOn}
if not reply then told = general()
elseif SAID.others then
  SAID.others.told = general()
  if type(SAID.others.told) ~= "string" then return SAID.others.told end
  SAID.hasRest = true
end
${ended}
`;
