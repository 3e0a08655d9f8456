/** A file that cannot grow: what was asked for together is refused together. */
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { settingsOf } from "../src/options.ts";
import { Session } from "../src/session.ts";
import { afterTest, failure, flow, QUEUE, RETENTION, temporaryFolder } from "./support.ts";

/** A session whose file is full to the last page, as on a disk without room. */
async function fullSession(): Promise<{ readonly session: Session; readonly makeRoom: () => void }> {
  const path = join(temporaryFolder(), "jobs.db");
  const session = await Session.open(path, settingsOf({ path }));
  afterTest(() => session.close());
  await session.openQueue({ queue: QUEUE, retention: RETENTION });
  const { driver } = session.connection;
  const pages = driver.pragma("page_count", { simple: true }) as number;
  driver.pragma(`max_page_count = ${pages}`);
  return { session, makeRoom: () => void driver.pragma("max_page_count = 1000000") };
}

test("many calls of one tick are refused at once where the disk is full, and stored once there is room", async () => {
  const { session, makeRoom } = await fullSession();
  let tries = 0;
  const store = () =>
    session.writer.group(({ connection }) => {
      tries += 1;
      connection.sql("INSERT INTO {bodies} (key, body) VALUES (?, zeroblob(100000))").run(tries);
    });
  const errors = await Promise.all(Array.from({ length: 500 }, () => failure(store())));
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["TASKQ_STORAGE"]));
  expect(errors[0]?.message).toContain("expected room on the disk, got a full one");
  expect(tries).toBeLessThan(20);
  makeRoom();
  await expect(store()).resolves.toBeUndefined();
});

test("many jobs of one tick are refused at once where the disk is full, and stored once there is room", async () => {
  const { session, makeRoom } = await fullSession();
  const queue = session.queue(QUEUE);
  const one = () => session.batches.add(queue, Date.now(), flow({ body: new Uint8Array(1_500) }));
  const onesByThemselves = vi.spyOn(session.writer, "group");
  const answers = await Promise.allSettled(Array.from({ length: 500 }, one));
  // There is room on the last page for the first, which is stored at once.
  const refused = answers.filter(({ status }) => status === "rejected");
  expect(refused.length).toBeGreaterThan(490);
  expect(refused[0]).toMatchObject({ reason: { code: "TASKQ_STORAGE" } });
  expect(onesByThemselves).not.toHaveBeenCalled();
  makeRoom();
  expect(await one()).toMatchObject({ flows: [{ status: "stored" }] });
});

test("what ends the transaction of a read is told, and not that the transaction is over", async () => {
  const { session } = await fullSession();
  const { connection } = session;
  const refused = (): unknown =>
    connection.snapshot(() =>
      connection.sql("INSERT INTO {bodies} (key, body) VALUES (1, zeroblob(100000))").run(),
    );
  expect(refused).toThrow(expect.objectContaining({ code: "SQLITE_FULL" }));
  expect(connection.driver.inTransaction).toBe(false);
  expect(connection.snapshot(() => 1)).toBe(1);
});
