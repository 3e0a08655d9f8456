import { blocksIn, findingIn, isBefore } from "../blocks.js";
import { key } from "./key.js";

/** Whether a job stands among the ready ones, by itself or in a block. */
export const isReady: string = String.raw`
local Known = nil
local function isReady(score, member)
  if redis.call("ZSCORE", ${key("ready")}, member) then return true end
  -- Made by the first who asks.
  if not Known then
    ${isBefore}
    ${blocksIn(key("blocks"), key("listing"))}
    ${findingIn(key("ready"), key("blocks"))}
    Known = Blocks
  end
  return Known.find(score, member) ~= nil
end
`;
