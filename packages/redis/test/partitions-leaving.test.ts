/** Steps of a queue in several partitions that is told to leave between what they ask of one and of another. */
import { setImmediate as turned } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { serverOfTest } from "./support/callers.js";
import { alone, newJob, opened, QUEUE, step } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const TURNS = 100;
const AT_ONCE = 12;

describe.skipIf(serverBinary() === undefined)("a queue in several partitions that begins to leave", () => {
  test("holds no run that nobody was handed", async () => {
    const { url } = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    const options = { url, keyPrefix: newPrefix(), partitions: 3 };
    const [storage, mover] = await Promise.all([opened(options), opened(options)]);
    const jobs = Array.from({ length: TURNS * AT_ONCE }, () => newJob());
    await storage.enqueue({ queue: QUEUE, flows: jobs.map(alone) });
    let handed = 0;
    for (let turn = 0; turn < TURNS; turn += 1) {
      const claiming = step(storage, { claim: { begin: AT_ONCE, ahead: 0, lease: 30_000 } }).then(
        ({ claimed }) => (handed += claimed.length),
        (error: unknown) => {
          expect(error).toMatchObject({ code: "TASKQ_MOVED" });
        },
      );
      for (let wait = 0; wait < turn % 20; wait += 1) await turned();
      await mover.export({ queue: QUEUE, kind: "begin" });
      await claiming;
      await mover.export({ queue: QUEUE, kind: "cancel", destination: undefined });
    }
    const counts = (await storage.counts({ queue: QUEUE }))["*"];
    expect({ active: counts?.active, ready: counts?.ready }).toEqual({
      active: handed,
      ready: jobs.length - handed,
    });
  });
});
