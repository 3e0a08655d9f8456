/** Keeps a note of a run that is the caller's. */
export const note: string = String.raw`
local KEPT_LINES = 1000

return M.run(function()
  local request = S.request
  M.readQueue()
  local row = M.runOf(request.id, request.fence)
  if not row then return {kept = false} end
  -- Whoever removes it looks for what is kept beside it.
  row.noted = true
  local record = pack({kind = request.kind, time = S.now, attempt = row.attempt, fence = request.fence, bytes = request.bytes})
  if request.kind == "progress" then M.later("HSET", K.stories, "p:" .. row.key, record)
  else
    local line = M.lastLine(row.key) + 1
    M.later("HSET", K.stories, "n:" .. row.key, line, "l" .. line .. ":" .. row.key, record)
    if line > KEPT_LINES then M.later("HDEL", K.stories, "l" .. (line - KEPT_LINES) .. ":" .. row.key) end
  end
  return {kept = true}
end)
`;
