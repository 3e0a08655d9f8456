import { createHmac, randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { HmacKey } from "../src/hmac-key.ts";

test("codes are those of OpenSSL, of messages of every length", () => {
  const bytes = randomBytes(32);
  const key = new HmacKey(Buffer.from(bytes));
  const message = randomBytes(20_000);
  const code = Buffer.alloc(40);
  const lengths = [...Array(200).keys(), 8_191, 8_192, 8_193, 20_000];
  for (const length of lengths) {
    key.write(code, 8, message, length);
    const expected = createHmac("sha256", bytes).update(message.subarray(0, length)).digest("hex");
    expect(code.subarray(8).toString("hex"), `${length} bytes`).toBe(expected);
  }
});

test("two keys used in turn do not disturb each other", () => {
  const message = Buffer.from("a message");
  const codes = [1, 2].map((fill) => {
    const key = new HmacKey(Buffer.alloc(32, fill));
    return () => {
      const code = Buffer.alloc(32);
      key.write(code, 0, message, message.length);
      return code.toString("hex");
    };
  });
  const [first, second] = codes.map((make) => make());
  expect(first).not.toBe(second);
  expect(codes[0]!()).toBe(first);
  expect(codes[1]!()).toBe(second);
});
