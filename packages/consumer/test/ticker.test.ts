import { createQueue, every, task, type Logger } from "@taskq/core";
import { engineOf, Ticker } from "@taskq/core/engine";
import { memoryStorage } from "@taskq/memory";
import { expect, test, vi } from "vitest";
import { closing } from "./serving.js";

const work = task("work", async () => {});

test("a look at a thousand schedules lets others have their turns", async () => {
  const queue = closing(createQueue({ storage: memoryStorage(), tasks: { work } }));
  for (let place = 0; place < 1_000; place += 1) {
    await queue.schedules.upsert(`schedule ${place}`, { schedule: every("1h"), job: work.job() });
  }
  let turns = 0;
  let ended = false;
  const turn = (): void => {
    turns += 1;
    if (!ended) setImmediate(turn);
  };
  setImmediate(turn);
  await new Ticker(engineOf(queue)).tick();
  ended = true;
  expect(turns).toBeGreaterThanOrEqual(9);
});

test("a schedule that is gone is forgotten, with what was complained of under its name", async () => {
  const error = vi.fn<(fields: object) => void>();
  const logger = { debug() {}, info() {}, warn() {}, error } as unknown as Logger;
  const queue = closing(createQueue({ storage: memoryStorage(), tasks: { work }, logger }));
  const engine = engineOf(queue);
  await engine.open();
  const ticker = new Ticker(engine);
  const about = { name: "unreadable", origin: "stored", task: "work", bytes: Buffer.from("{") } as const;
  for (const kind of ["upsert", "remove", "upsert"] as const) {
    await engine.storage.schedules({ queue: queue.name, change: { kind, ...about } });
    await ticker.tick();
    await ticker.tick();
  }
  expect(error.mock.calls.map(([fields]) => fields)).toEqual(
    [1, 2].map(() => expect.objectContaining({ schedule: "unreadable" }) as object),
  );
});
