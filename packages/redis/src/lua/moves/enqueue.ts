/** Stores flows. */
export const enqueue: string = String.raw`
return M.run(function()
  M.readQueue()
  M.admitFrom(S.request.run)
  if M.isBehind() then return {behind = true} end
  local flows = S.request.flows
  local collision = M.checkFlows(flows)
  if collision then return {collision = collision} end
  return {flows = M.answersOf(M.storeFlows(flows))}
end)
`;
