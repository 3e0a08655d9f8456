/** Removing what need not be kept any longer. */
export const purge: string = String.raw`
local OWNER_KEPT, KEPT_AT_LEAST = 604800000, 10000

-- Removes a final row, and remembers its name if a caller gave it.
function M.removeRow(row)
  if FINAL[row.state] then M.forget(row) end
  M.dropRow(row)
  M.removeVictim(row)
  if FINAL[row.state] and row.state ~= "completed" then M.forgetVictims(row) end
  if type(row.body) == "number" then M.later("HDEL", K.bodies, "b:" .. row.key) end
  if row.apart then M.later("HDEL", K.bodies, "r:" .. row.key) end
  if row.more then M.beside().forget(row) end
  M.unlist(row)
  if row.named then
    local till = row.enqueuedAt + M.REMEMBERED
    if till > S.now then
      M.later("HSET", K.memory, "n:" .. row.id, pack(row.task or "", row.state, till))
      M.expire(till, "n:" .. row.id)
    end
  end
  if row.kind == "join" then
    M.later("HDEL", K.members, row.key)
    return
  end
  local counted = COUNTED[row.state]
  if counted then Q.counts[counted] = Q.counts[counted] - 1 end
  for place = 1, row.stories and M.storyCount(row) or 0 do M.later("HDEL", K.stories, place .. ":" .. row.key) end
  if row.fence > 0 then
    M.later("HDEL", K.stories, "p:" .. row.key)
    if call("HEXISTS", K.stories, "n:" .. row.key) == 1 then
      local last = M.lastLine(row.key)
      M.later("HDEL", K.stories, "n:" .. row.key)
      for line = math.max(1, last - 999), last do M.later("HDEL", K.stories, "l" .. line .. ":" .. row.key) end
    end
  end
  if row.unique then
    local entry = M.uniqueOf(row.unique.key)
    if entry and entry.holder == row.id then entry.state = row.state end
  end
  for _, edge in ipairs(row.edges or {}) do
    local broken = edge[2] == "f" and M.brokenOf(M.sourceOf(row, edge[1]))
    local root = broken and M.rowOf(broken.root)
    for place, id in ipairs(root and root.readers or {}) do
      if id == row.id then
        table.remove(root.readers, place)
        break
      end
    end
  end
end

local function removeOrWithhold(row, isOver)
  if M.isNeeded(row) or isOver and M.isOfKeptGroup(row) then
    M.withhold(row)
    return 0
  end
  if row.kind == "join" then M.releaseWithheld(row) end
  M.removeRow(row)
  return 1
end

-- An entry of a row that is gone goes by itself.
local function removeOrDrop(index, member, row, isOver)
  if row then return removeOrWithhold(row, isOver) end
  index:remove(member)
  return 0
end

-- The oldest first, of those whose time is over by then.
local function purgeFrom(key, till, limit)
  local index, removed, looked = M.index(key), 0, 0
  while removed < limit and looked < limit + 64 do
    local member, at = index:peek()
    if not member or at > till then break end
    if not M.openEntry(index, member, at) then
      looked = looked + 1
      removed = removed + removeOrDrop(index, member, M.rowIfRead(M.keyIn(member)), true)
    end
  end
  return removed
end

-- What ended first and before then, of those with a retention of their own: its entry, and its row if that is as it was.
local function oldestKept(line, before)
  local member = line:peek()
  if not member then return nil end
  local at = struct.unpack(">I6", member, #line.prefix + 1)
  if at >= before then return nil end
  local row = M.rowIfRead(sub(member, #line.prefix + 7))
  return member, row and row.kept and row.finishedAt == at and row or nil
end

-- The oldest first, as long as there are more jobs in these states than are kept.
local function purgeOver(key, line, count, max, limit)
  local index, removed, looked = M.index(key), 0, 0
  while removed < limit and looked < limit + 64 and count() > max do
    local member, at = index:peek()
    local other, kept = oldestKept(line, at or math.huge)
    if not member and not other then break end
    looked = looked + 1
    if other then removed = removed + removeOrDrop(line, other, kept)
    elseif not M.openEntry(index, member, at) then removed = removed + removeOrDrop(index, member, M.rowIfRead(M.keyIn(member))) end
  end
  return removed
end

-- Of tasks that keep no more than so many: what has just ended stays a while.
local function purgeCaps(limit)
  local removed, caps, list = 0, {}, call("HGETALL", K.capMax)
  for place = 1, #list, 2 do caps[list[place]] = tonumber(list[place + 1]) end
  for name, max in pairs(S.capMax or {}) do caps[name] = max end
  for name, max in pairs(caps) do
    local prefix = struct.pack(">I2", #name) .. name
    local line = M.lineAt(K.caps, prefix)
    local count = line:size()
    if count <= 0 then M.later("HDEL", K.capMax, name) end
    for _ = 1, 64 do
      local member = line:peek()
      if not member or count <= max or removed >= limit then break end
      if struct.unpack(">I6", member, #prefix + 1) > S.now - KEPT_AT_LEAST then break end
      removed = removed + removeOrDrop(line, member, M.rowIfRead(sub(member, #prefix + 7)))
      count = count - 1
    end
  end
  return removed
end

local function completedCount() return (M.keptCounts()) end
local function otherCount() return select(2, M.keptCounts()) end

-- Whether the name of a job, an answer or a start that was taken need not be known any more.
function M.isForgotten(kind, text)
  if not text then return false end
  if kind == "t" then return tonumber(text) <= S.now end
  local fine, first, _, third = pcall(decode, text)
  if kind == "n" then first = third end
  return not (fine and type(first) == "number" and first > S.now)
end

-- Forgets what is over: values, answers, names, logs of limits, unique keys, locks of the dead.
local function forgetExpired(limit)
  local index = M.index(K.expiry)
  for _ = 1, limit do
    local name, at = index:peek()
    if not name or at > S.now then return end
    index:remove(name)
    local kind, rest = sub(name, 1, 1), sub(name, 3)
    -- What was stored anew, or anew under a name that was forgotten, goes on.
    if kind == "v" then
      local text = call("HGET", K.values, rest)
      local fine, _, _, till = pcall(decode, text or "")
      if text and (not fine or till and not (type(till) == "number" and till > S.now)) then M.later("HDEL", K.values, rest) end
    elseif kind == "o" then
      -- One that goes on asking is known as long as it does.
      local fine, _, _, _, at = pcall(decode, call("HGET", K.owners, rest) or "")
      if not fine or type(at) ~= "number" then at = 0 end
      if rest == S.owner or at > S.now - OWNER_KEPT then M.expire((rest == S.owner and S.now or at) + OWNER_KEPT, name)
      else M.later("HDEL", K.owners, rest) end
    elseif kind == "u" then M.holderOf(rest)
    elseif kind == "l" then M.forgetLog(rest)
    elseif kind == "g" then M.forgetHolds(rest)
    elseif M.isForgotten(kind, call("HGET", K.memory, name)) then M.later("HDEL", K.memory, name) end
  end
end

local function purgeOnce(limit)
  local kept = Q.x.retention
  local removed = purgeFrom(K.kept, S.now, limit)
  removed = removed + purgeFrom(K.done, S.now - kept[1], limit - removed)
  removed = removed + purgeFrom(K.gone, S.now - kept[3], limit - removed)
  removed = removed + purgeCaps(limit - removed)
  removed = removed + purgeOver(K.done, M.keptLine(true), completedCount, kept[2], limit - removed)
  return removed + purgeOver(K.gone, M.keptLine(false), otherCount, kept[4], limit - removed)
end

-- Removes so many rows whose retention has passed, the oldest first: also those that were kept for one of these.
function M.purgeDue(limit)
  local removed, more = 0, 0
  repeat
    more = purgeOnce(limit - removed)
    removed = removed + more
  until more == 0 or removed >= limit or not S.released
  forgetExpired(64)
  return removed
end
`;
