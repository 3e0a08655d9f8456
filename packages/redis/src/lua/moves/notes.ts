/** The log lines of a job, oldest first. */
export const notes: string = String.raw`
return M.look(function()
  M.readQueue()
  local row = M.jobOf(S.request.id)
  local lines = {}
  local last = row and M.lastLine(row.key) or 0
  for line = math.max(1, last - 999), last do
    local text = call("HGET", K.stories, "l" .. line .. ":" .. row.key)
    if text then lines[#lines + 1] = decode(text) end
  end
  return {lines = lines}
end)
`;
