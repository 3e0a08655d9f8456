/** Goes on with what follows from an earlier call, and was too much for it. */
export const resume: string = String.raw`
return M.run(function()
  M.readQueue()
  if M.isBehind() then M.resume() end
  return {behind = Q.later}
end)
`;
