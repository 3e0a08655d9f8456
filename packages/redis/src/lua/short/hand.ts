/**
 * Claims that have found nothing wait at the server, for two seconds: whoever stores a job hands it to one of them, by what is published
 * to its process alone, which so is spared asking for it (decisions/redis-waiting.md). Each is a member of `waiting`, scored by when it
 * is over: where it is heard, a word that its process knows it by, lane, owner, the number under which it is a claim, the lease, the tasks.
 */
import { EPOCH, fenceBefore } from "../fences.js";
import { key } from "./key.js";

/** For so many milliseconds a claim waits: its process asks again once a second. */
const WAITS = 2_000;
/** What has been over for so long is of a process that is no more. */
const FORGOTTEN = 10_000;

/** What may be handed over: a plain job, due, to a process that knows its task, while no other stands before it. */
export const handed: string = String.raw`
-- What waits for a job of this task, which is due: the claim, and how it is written.
local function waiting(task)
  local member, over = unpack(redis.pcall("ZRANGE", ${key("waiting")}, -1, -1, "WITHSCORES"))
  if not member then return nil end
  local left = tonumber(over) - now
  -- The clock of the server was set back.
  if left > ${WAITS} then redis.pcall("ZREM", ${key("waiting")}, member) end
  if left <= 0 or left > ${WAITS} or call("EXISTS", ${key("ready")}, ${key("blocks")}) > 0 then return nil end
  local _, first = unpack(call("ZRANGE", ${key("scheduled")}, 0, 0, "WITHSCORES"))
  local _, _, _, _, _, _, _, _, _, _, _, _, held, revoked = decode(text, 13, after)
  if held or revoked or first and tonumber(first) <= now then return nil end
  local claim = cmsgpack.unpack(member)
  -- An older step, carried out late, has left it: its owner has claimed since.
  local known = call("HGET", ${key("owners")}, claim[3])
  local _, last = decode(known or "\255", 1)
  if known and last >= claim[5] then
    redis.pcall("ZREM", ${key("waiting")}, member)
    return nil
  end
  if string.find(claim[7], "\n" .. task .. "\n", 1, true) then return claim, member end
end

-- The right to a run of it, as a step of that owner writes it down; if nobody hears of it, there is none. Nothing is published before that
-- is known: what has been may reach its process also where nobody was counted, by way of a replica, or more were, who hear all channels.
local function handOver(claim, member, key, row, own)
  local channel, word, lane, owner, number, lease = unpack(claim)
  redis.pcall("ZREM", ${key("waiting")}, member)
  local heard = redis.pcall("PUBSUB", ARGV[2] == "PUBLISH" and "NUMSUB" or "SHARDNUMSUB", channel)
  if heard[2] ~= 1 then return false end
  fence = math.max(fence + 1, ${fenceBefore("now", "epoch")})
  local run = epoch * ${EPOCH} + fence
  local field = string.format("%d", run)
  call("HSET", ${key("claims")}, field, pack(1, owner, lease, now, {"\0" .. own .. key, 0}, nil))
  call("ZADD", ${key("active")}, string.format("%.17g", now + lease), "#" .. field)
  -- Its process may not hear of it after all, and repeats what it last asked for, or asks under this number.
  if call("HSET", ${key("owners")}, lane, pack(number, run, {key}, now, true)) == 1 then
    call("ZADD", ${key("expiry")}, string.format("%.17g", now + 604800000), "o:" .. lane)
  end
  if type(redis.pcall(ARGV[2], channel, pack(word, owner, number, run, now) .. pack({key, row}))) == "number" then return true end
  -- Who stores it may not publish there.
  call("HDEL", ${key("claims")}, field)
  call("ZREM", ${key("active")}, "#" .. field)
  return false
end
`;

/** Where it is stored. */
export const taken: string = String.raw`
  if isDue and not paused and ARGV[1] == "" and ARGV[2] ~= "" and ARGV[4] == "" then
    local _, task, seldom = decode(rest, 2)
    local claim, member = nil, nil
    if not seldom then claim, member = waiting(task) end
    if claim and handOver(claim, member, key, row, own) then
      call("XADD", ${key("listing")}, string.format("%d-1", order), "", key)
      call("SET", ${key("queue")}, pack(epoch, phase, fence, order) .. string.sub(text, after + 1))
      return "rhw"
    end
  end
`;

/**
 * At the head of a step: what it had left waiting is taken back. Answers 1, having done nothing, if a job has come for it. Else it is gone
 * because its time is over, or because this is a repeat of a step that has taken it back, and may have claimed.
 */
export const takenBack: string = String.raw`
if ARGV[16] and ARGV[16] ~= "" and redis.pcall("ZREM", ${key("waiting")}, ARGV[16]) ~= 1 then
  local known = redis.call("HGET", ${key("owners")}, ARGV[13])
  local _, number = cmsgpack.unpack_limit(known or "\255", 1)
  if number == cmsgpack.unpack(ARGV[16])[5] then return 1 end
end
`;

/** What a claim that finds nothing leaves, until something may be due. Answers whether it did. */
export const wait: string = String.raw`
-- A step that is sent again takes back what it may have left when it was sent before: perhaps it claims now.
local function forget()
  if ARGV[15] and ARGV[15] ~= "" then redis.pcall("ZREM", ${key("waiting")}, ARGV[15]) end
end

local function waits(now, due)
  if not ARGV[15] or ARGV[15] == "" then return false end
  local over = math.min(now + ${WAITS}, due or math.huge)
  redis.pcall("ZREMRANGEBYSCORE", ${key("waiting")}, "-inf", string.format("%.17g", now - ${FORGOTTEN}))
  return type(redis.pcall("ZADD", ${key("waiting")}, string.format("%.17g", over), ARGV[15])) == "number"
end
`;
