/** Messages so large that not all of a claim fit into memory, nor into what SQLite hands over at a time. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

const MEGABYTE = 1024 * 1024;

test.each([3, 20])(
  "a claim of %i jobs takes no more large messages than fit, and the next one the others",
  async (count) => {
    const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
    const ids: string[] = [];
    for (let number = 0; number < 3; number += 1) {
      const body = new Uint8Array(40 * MEGABYTE).fill(number + 1);
      const one = flow({ body });
      ids.push(one.end);
      await storage.enqueue({ queue: QUEUE, flows: [one] });
    }
    const small = flow();
    await storage.enqueue({ queue: QUEUE, flows: [small] });
    const first = await claim(storage, 1, count);
    expect(first.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect(first.map(({ body }) => [body.length, body.at(-1)])).toEqual([
      [40 * MEGABYTE, 1],
      [40 * MEGABYTE, 2],
    ]);
    const second = await claim(storage, 2, count);
    expect(second.map(({ id }) => id)).toEqual([ids[2], small.end]);
  },
);
