/** Jobs and joins by id. */
export const read: string = String.raw`
return M.look(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  local records = {}
  if #S.request.ids > 8 then M.readAhead(S.request.ids) end
  for place, id in ipairs(S.request.ids) do
    local row = M.rowOf(id)
    records[place] = row and M.recordOf(row, S.request.whole) or false
  end
  return {records = records}
end)
`;
