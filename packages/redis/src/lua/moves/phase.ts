/** Where a queue stands in a move. */
export const phase: string = String.raw`
return M.look(function()
  M.readQueue()
  return {phase = Q.phase}
end)
`;
