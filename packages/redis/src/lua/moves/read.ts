import { READ_AT_ONCE } from "../read-at-once.js";

/** Jobs and joins by id. */
export const read: string = String.raw`
return M.look(function()
  M.readQueue()
  if M.isBehind() then return {behind = true} end
  local records, size = {}, 0
  if #S.request.ids > 8 then M.readAhead(S.request.ids) end
  for place, id in ipairs(S.request.ids) do
    local row = M.rowOf(id)
    local record = row and M.recordOf(row, S.request.whole) or false
    records[place] = record
    if record then size = size + #(record.bytes or "") + #(record.detail and record.detail.body or "") end
    -- The rest is asked for by itself.
    if size > ${READ_AT_ONCE} then break end
  end
  return {records = records}
end)
`;
