/**
 * Strings in the order of their bytes, as sorted sets have them. `<` of Lua goes by the locale that the server was started in: under
 * `en_US.UTF-8` it takes bytes from 128 on for nothing, and `a` comes before `B`.
 */
export const less: string = String.raw`
local function less(left, right)
  local shorter, at = math.min(#left, #right), 1
  while at + 5 <= shorter do
    local one, other = struct.unpack(">I6", left, at), struct.unpack(">I6", right, at)
    if one ~= other then return one < other end
    at = at + 6
  end
  for place = at, shorter do
    local one, other = string.byte(left, place), string.byte(right, place)
    if one ~= other then return one < other end
  end
  return #left < #right
end
`;
