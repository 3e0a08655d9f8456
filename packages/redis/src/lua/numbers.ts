/** Numbers as bytes that sort like them: for the short ways and the rest alike. */
export const numbers: string = String.raw`
-- A whole number as six bytes.
local function six(value)
  if value < 0 then value = 0 elseif value > 281474976710655 then value = 281474976710655 end
  return struct.pack(">I6", math.floor(value))
end

-- A priority as four bytes, the higher one first.
local function four(priority)
  return struct.pack(">I4", 2147483647 - priority)
end
`;
