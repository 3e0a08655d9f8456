/** Makes a queue ready for use. */
export const open: string = String.raw`
return M.run(function()
  local retention = S.request.retention
  if call("EXISTS", K.queue) == 1 then M.readQueue()
  else
    Q = {epoch = 0, phase = "open", fence = 0, order = 0, paused = false, later = false, counts = {0, 0, 0, 0, 0, 0, 0, 0}, x = {}, looked = 0}
    S.queue = Q
  end
  local before = Q.x.retention
  for place = 1, 4 do
    if not before or before[place] ~= retention[place] then Q.x.retention = retention end
  end
  if Q.x.unknownAfter ~= S.request.unknownAfter then
    Q.x.unknownAfter = S.request.unknownAfter
    M.beginLinesAnew()
  end
  return {epoch = Q.epoch, phase = Q.phase}
end)
`;
