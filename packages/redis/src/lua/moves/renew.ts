/** Keeps the runs of an owner. */
export const renew: string = String.raw`
return M.run(function()
  local request = S.request
  M.readQueue()
  local leaseUntil, lost = S.now + request.lease, {}
  for _, one in ipairs(request.runs) do
    local row, run = M.runOf(one[1], one[2])
    if not row or run.owner ~= request.owner then lost[#lost + 1] = {id = one[1], fence = one[2]}
    else
      run.lease, run.suspectSince = request.lease, nil
      M.index(K.active):push(leaseUntil, row.key)
    end
  end
  return {leaseUntil = leaseUntil, lost = lost, revoked = M.revokedRuns(request.owner)}
end)
`;
