/** Commands with so many arguments that they do not fit the stack at once: in cuts of so many. */
export const cuts: string = String.raw`
-- With these arguments, or with those from one place to another.
local function write(command, key, list, first, last)
  first, last = first or 1, last or #list
  for from = first, last, 4000 do call(command, key, unpack(list, from, math.min(from + 3999, last))) end
end

-- Of these fields, or of those from one place to another.
local function many(key, fields, first, last)
  first, last = first or 1, last or #fields
  if first > last then return {} end
  if last - first < 4000 then return call("HMGET", key, unpack(fields, first, last)) end
  local found = {}
  for from = first, last, 4000 do
    for _, text in ipairs(call("HMGET", key, unpack(fields, from, math.min(from + 3999, last)))) do found[#found + 1] = text end
  end
  return found
end
`;
