/** The log lines of a job, oldest first. */
export const notes: string = String.raw`
return M.look(function()
  M.readQueue()
  local row = M.jobOf(S.request.id)
  local lines = {}
  local last = row and call("HGET", K.stories, "n:" .. row.key)
  for line = math.max(1, tonumber(last or 0) - 999), tonumber(last or 0) do
    local text = call("HGET", K.stories, "l" .. line .. ":" .. row.key)
    if text then lines[#lines + 1] = decode(text) end
  end
  return {lines = lines}
end)
`;
