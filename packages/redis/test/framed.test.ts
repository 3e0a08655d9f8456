import { Command } from "ioredis";
import { expect, test } from "vitest";
import type { Parameter } from "../src/connection/client.js";
import { framed } from "../src/connection/framed.js";
import { script } from "../src/connection/script.js";
import { keysOf } from "../src/queue-keys.js";

const PARAMETERS: readonly (readonly Parameter[])[] = [
  [],
  ["", "", ""],
  ["PUBLISH", 0, -1, 1.5, 1_763_740_000_000, 2 ** 53],
  [Buffer.alloc(0), "", Buffer.from([0, 13, 10, 255])],
  [Buffer.from("*3\r\n"), "a\r\n$1\r\n", Buffer.alloc(100_000, 7), "last"],
  ["\nwörk\n日本語\n👍\n", "\ud800", Buffer.from("\u00e9", "latin1"), "x".repeat(100_000)],
];

test("a call of a script as bytes is what ioredis would write", () => {
  const [one, two] = [script("one", "return 1"), script("two", "return 2")];
  const lists = [[], ["taskq:{main}:queue"], keysOf("präfix", "main"), keysOf("taskq", "main", 3)];
  for (const keys of lists) {
    for (const parameters of PARAMETERS) {
      // Each twice: the keys are kept from the first time.
      for (const { sha, ...rest } of [one, two, one, two]) {
        const command = new Command("evalsha", [sha, keys.length, ...keys, ...parameters], {});
        const expected = command.toWritable({});
        const bytes = framed({ sha, ...rest }, keys, parameters, false);
        expect(bytes.equals(Buffer.from(expected))).toBe(true);
      }
    }
  }
});
