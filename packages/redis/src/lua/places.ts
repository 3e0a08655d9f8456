/** Where jobs that wait for their turn stand: by state the sets, and the keys of the jobs that an entry stands for. */
export const places: string = String.raw`
-- Of the line of a gate; of a ticket there is none.
local function keysInLine(member)
  local kind = sub(member, 17, 17)
  if kind == "j" then return {sub(member, 23)} end
  return {kind ~= "t" and sub(member, 24) or nil}
end

M.PLACES = {
  ready = {{K.ready, function(member) return {sub(member, 13)} end}, {K.blocks, M.blocks.keys}},
  scheduled = {{K.scheduled, function(member) return {sub(member, 11)} end}},
  parked = {{K.lines, keysInLine}},
}
`;
