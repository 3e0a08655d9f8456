/**
 * Rows that are as they were when they were ready, though they were claimed, or their runs have ended (`short/claims.ts`): a row
 * that a call looks at becomes one as all others are, and is written so by whatever writes.
 */
export const claims: string = String.raw`
-- By fence; then by the key of a row, of those that were looked for.
local claims, claimOfKey, ends, hasAll, hasClaims, hasEnds = {}, {}, {}, false, nil, nil

local function readClaim(fence, text)
  local left, owner, lease, at, list, held = decode(text)
  local claim = {left = left + 0, owner = owner, lease = lease + 0, at = at + 0, fence = fence + 0, list = list, held = held or {}, runs = {}}
  for place = 1, #list, 2 do claim.runs[M.keyIn(list[place])] = place end
  return claim
end

-- One that somebody has written into is as if he had removed it.
local function learnClaim(field, text)
  local fine, claim = pcall(readClaim, tonumber(field), text)
  if not fine then
    M.later("HDEL", K.claims, field)
    return false
  end
  for key in pairs(claim.runs) do claimOfKey[key] = claim end
  claims[claim.fence] = claim
  return claim
end

-- The claim of this fence, if something is left of it.
function M.claimAt(fence)
  if type(fence) ~= "number" or fence ~= fence then return nil end
  local claim = claims[fence]
  if claim == nil then
    local field = string.format("%d", fence)
    local text = not hasAll and call("HGET", K.claims, field)
    claim = text and learnClaim(field, text) or false
    claims[fence] = claim
  end
  return claim or nil
end

local function learnAll()
  hasAll = true
  local list = call("HGETALL", K.claims)
  for place = 1, #list, 2 do
    local fence = tonumber(list[place])
    if not fence or claims[fence] == nil then learnClaim(list[place], list[place + 1]) end
  end
end

-- A claim is one entry in the set of runs.
function M.countActive()
  local runs = call("ZCARD", K.active)
  for _, text in ipairs(call("HVALS", K.claims)) do
    local fine, _, left = pcall(decodeFrom, text, 1)
    if fine and type(left) == "number" then runs = runs + left - 1 end
  end
  return runs
end

local function claimOfRow(row)
  local known = claimOfKey[row.key]
  if known then return known end
  if hasClaims == nil then hasClaims = call("EXISTS", K.claims) == 1 end
  if not hasClaims or hasAll or M.index(K.ready):has(M.readyMember(row), -row.priority) then return nil end
  learnAll()
  return claimOfKey[row.key]
end

-- How the runs of rows have ended that are as they were.
function M.readEnds(keys, from, to)
  if hasEnds == nil then hasEnds = call("EXISTS", K.ended) == 1 end
  if not hasEnds then return end
  local texts = call("HMGET", K.ended, unpack(keys, from, to))
  for place = from, to do ends[keys[place]] = texts[place - from + 1] end
end

local function endOf(key)
  if ends[key] == nil then M.readEnds({key}, 1, 1) end
  return ends[key]
end

local function leave(claim, key)
  claimOfKey[key], claim.runs[key] = nil, nil
  claim.left, claim.changed = claim.left - 1, true
  S.claimsChanged = true
end

-- Whether there is a run of it, also of a claim of the short way.
function M.isClaimed(key)
  if M.index(K.active):has(key) then return true end
  if not hasAll then learnAll() end
  return claimOfKey[key] ~= nil
end

-- Has each claim stand among the runs, and none that is gone.
function M.matchClaims()
  learnAll()
  local active = M.index(K.active)
  for _, entry in ipairs(call("ZRANGE", K.active, 0, -1)) do
    if byte(entry) == 35 and not claims[tonumber(sub(entry, 2))] then active:remove(entry) end
  end
  for fence, claim in pairs(claims) do
    local entry = "#" .. string.format("%d", fence)
    if claim and not active:has(entry) then active:push(claim.at + claim.lease, entry) end
  end
end

-- There is no such run.
function M.leaveClaim(key)
  local claim = claimOfKey[key]
  if claim then leave(claim, key) end
end

-- A row that is ready as it stands may have been claimed, and its run may have ended.
function M.unfold(row)
  local key = row.key
  local text = endOf(key)
  if text then
    local code, fence, owner, at, took, bytes = decode(text)
    row.isUnfolded = true
    row.state, row.attempt, row.fence, row.settled, row.owner = M.STATES[code], row.attempt + 1, fence, fence, owner
    row.startedAt, row.finishedAt, row.bytes = took and at - took or nil, at, bytes
    M.later("HDEL", K.ended, key)
    return
  end
  local claim = claimOfRow(row)
  if not claim then return end
  local began = claim.list[claim.runs[key] + 1]
  leave(claim, key)
  row.isUnfolded = true
  row.state, row.attempt, row.fence, row.owner = "active", row.attempt + 1, claim.fence, claim.owner
  row.startedAt = began and claim.at + began or nil
  row.run = {fence = claim.fence, owner = claim.owner, lease = claim.lease, claimedAt = claim.at, begun = began ~= false, startedAt = row.startedAt}
  M.index(K.active):push(claim.at + claim.lease, key)
end

-- Of pairs, those of rows whose runs have not ended.
local function leftOf(claim, list)
  local left = {}
  for place = 1, #list, 2 do
    if claim.runs[M.keyIn(list[place])] then
      left[#left + 1] = list[place]
      left[#left + 1] = list[place + 1]
    end
  end
  return left
end

-- What is left of claims, to be written.
function M.changedClaims()
  local changed, gone = {}, {}
  if not S.claimsChanged then return changed, gone end
  for fence, claim in pairs(claims) do
    if claim and claim.changed then
      local field = string.format("%d", fence)
      if claim.left == 0 then
        gone[#gone + 1] = field
        M.index(K.active):remove("#" .. field)
      else
        local held = leftOf(claim, claim.held)
        changed[#changed + 1] = field
        changed[#changed + 1] = pack(claim.left, claim.owner, claim.lease, claim.at, leftOf(claim, claim.list), #held > 0 and held or nil)
      end
    end
  end
  return changed, gone
end
`;
