/** Jobs by state. */
export const counts: string = String.raw`
return M.look(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  local counts = {ready = M.countReady(), scheduled = call("ZCARD", K.scheduled), active = M.countActive()}
  for state, place in pairs(COUNTED) do counts[state] = Q.counts[place] end
  return {counts = counts}
end)
`;
