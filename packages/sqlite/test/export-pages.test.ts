/** A page of a queue that moves is bounded by its bytes: what does not fit is not read for it. */
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Connection } from "../src/connection.ts";
import { movedPage } from "../src/moved-page.ts";
import { settingsOf } from "../src/options.ts";
import { Session } from "../src/session.ts";
import { afterTest, flow, openStorage, QUEUE, RETENTION, temporaryFolder } from "./support.ts";

const LARGE = 300_000;
const COUNT = 20;

/** A connection that counts the bytes that it hands over. */
function counting(connection: Connection): { readonly counted: Connection; readonly read: () => number } {
  let read = 0;
  const count = <Row>(row: Row): Row => {
    for (const value of Object.values(row ?? {})) if (value instanceof Uint8Array) read += value.length;
    return row;
  };
  const counted = Object.create(connection) as Connection;
  for (const kind of ["raw", "sql"] as const) {
    counted[kind] = (text) => {
      const statement = connection[kind](text);
      return {
        ...statement,
        get: (...parameters) => count(statement.get(...parameters)),
        all: (...parameters) => statement.all(...parameters).map(count),
      };
    };
  }
  return { counted, read: () => read };
}

test.each(["jobs", "values"])(
  "a page of large %s reads no more of them than it hands over, but one",
  async (kind) => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path });
    const bytes = new Uint8Array(LARGE);
    for (let number = 0; number < COUNT; number += 1) {
      if (kind === "jobs") await storage.enqueue({ queue: QUEUE, flows: [flow({ body: bytes })] });
      else {
        const operations = [{ kind: "set", key: `${number}`, bytes, expiresAt: undefined }] as const;
        await storage.values({ queue: QUEUE, operation: `${number}`, operations });
      }
    }
    const session = await Session.open(path, settingsOf({ path }));
    afterTest(() => session.close());
    await session.openQueue({ queue: QUEUE, retention: RETENTION });
    const { counted, read } = counting(session.connection);
    const exporting = { connection: counted, queue: session.queue(QUEUE), now: Date.now() };
    let records = 0;
    let pages = 0;
    for (let cursor: string | undefined, more = true; more && pages < 2 * COUNT; pages += 1) {
      const page = movedPage(exporting, cursor, 200);
      records += page.records.length;
      ({ cursor } = page);
      more = cursor !== undefined;
    }
    expect(records).toBe(COUNT);
    expect(read()).toBeLessThanOrEqual((COUNT + pages) * LARGE);
    expect(pages).toBeLessThan(COUNT);
  },
);
