/** Storages that go on answering while they do not do all that they are asked for. */
import { faultyStorage } from "@taskq/conformance";
import {
  createQueue,
  every,
  jsonSerializer,
  periodic,
  task,
  TaskqError,
  type Serializer,
  type Storage,
} from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { expect, onTestFinished, test, vi } from "vitest";
import { Outage } from "../src/outage.js";
import { PeriodicLoop } from "../src/periodic-loop.js";
import { closing, serve } from "./serving.js";
import { recordingLogger, sleep, storages, until } from "./support.js";

test.each(storages)(
  "a storage on %s that refuses periodic jobs alone is told of once, and not asked all the time",
  async (_name, makeStorage) => {
    const storage = faultyStorage(await makeStorage(), { broken: 1, methods: ["tick"] });
    const logger = recordingLogger();
    let beats = 0;
    const beat = periodic("beat", every("20ms"), async () => void (beats += 1));
    const work = task("work", async () => 1);
    const queue = closing(createQueue({ storage, tasks: { beat, work }, logger }));
    await serve(queue);
    await until(() => storage.faults.met.length >= 5);
    // As a storage does in which there is no room left.
    expect(await (await queue.enqueue(work.job())).wait({ timeout: "3s" })).toBe(1);
    await sleep(600);
    expect(logger.lines).toHaveLength(1);
    expect(logger.lines[0]).toMatchObject({
      level: "error",
      message: "a periodic job could not be enqueued",
    });
    // With pauses that double, or nearly so.
    expect(storage.faults.met.length).toBeLessThan(20);
    storage.faults.setPlanned(false);
    await until(() => beats > 2);
    storage.faults.setPlanned(true);
    await until(() => logger.lines.length > 1);
  },
);

test.each(storages)(
  "a periodic task that cannot be declared on %s is told of once, stops nobody, and is tried again",
  async (_name, makeStorage) => {
    const json = jsonSerializer();
    let isBroken = true;
    const serializer: Serializer = {
      id: "sometimes",
      encode: (value, context) => {
        if (isBroken && context.purpose === "schedule" && context.id === "beat")
          throw new Error("no key today");
        return json.encode(value, context);
      },
      decode: (bytes, context) => json.decode(bytes, context),
    };
    const logger = recordingLogger();
    const runs = { beat: 0, other: 0 };
    const beat = periodic("beat", every("20ms"), async () => void (runs.beat += 1));
    const other = periodic("other", every("20ms"), async () => void (runs.other += 1));
    const work = task("work", async () => 1);
    const tasks = { beat, other, work };
    const queue = closing(createQueue({ storage: await makeStorage(), tasks, serializer, logger }));
    await serve(queue);
    expect(await (await queue.enqueue(work.job())).wait({ timeout: "3s" })).toBe(1);
    await until(() => runs.other > 2);
    await sleep(1_200);
    expect(logger.lines).toMatchObject([
      {
        level: "error",
        fields: { schedule: "beat", error: expect.stringContaining("no key today") as string },
      },
    ]);
    isBroken = false;
    await until(() => runs.beat > 2, 5_000);
  },
);

test("a schedule that cannot be fired is told of once, and anew when it fails again after a while", async () => {
  const logger = recordingLogger();
  const work = task("work", async () => {});
  const queue = closing(createQueue({ storage: memoryStorage(), tasks: { work }, logger }));
  const engine = engineOf(queue);
  await queue.schedules.upsert("often", { schedule: every(1), job: work.job(), overlap: "allow" });
  const loop = new PeriodicLoop(engine, new Outage(engine.logger, queue.name), () => {});
  const now = performance.now();
  const clock = vi.spyOn(performance, "now");
  onTestFinished(() => clock.mockRestore());
  const failAt = async (seconds: number): Promise<void> => {
    clock.mockReturnValue(now + seconds * 1_000);
    const refusing = queue.use({
      enqueue() {
        throw new Error("not today");
      },
    });
    await sleep(5);
    await loop.tick();
    refusing[Symbol.dispose]();
  };
  await failAt(0);
  // It goes on without a word for as long as it lasts.
  for (let seconds = 1; seconds < 200; seconds += 40) await failAt(seconds);
  expect(logger.lines).toHaveLength(1);
  await sleep(5);
  await loop.tick();
  expect(await queue.counts()).toMatchObject({ ready: 1 });
  await failAt(300);
  expect(logger.lines).toHaveLength(2);
  expect(logger.lines[1]).toMatchObject({ level: "error", fields: { schedule: "often" } });
});

test("a step that is repeated, and not answered, is waited for without a look all the time", async () => {
  const storage = Object.assign(memoryStorage() as Storage & StorageContract, { lanes: 2 });
  let [steps, answer] = [0, (): void => {}];
  const step = storage.step.bind(storage);
  const release = new Promise<void>((resolve) => (answer = resolve));
  onTestFinished(() => answer());
  storage.step = async (request) => {
    steps += 1;
    if (steps === 1) throw new TaskqError("TASKQ_UNAVAILABLE", "away");
    await release;
    return step(request);
  };
  const work = task("work", async () => 1);
  const queue = closing(createQueue({ storage, tasks: { work } }));
  await serve(queue, { workers: 4 });
  await until(() => steps === 2);
  await sleep(100);
  const looks = vi.spyOn(Outage.prototype, "pause");
  onTestFinished(() => looks.mockRestore());
  await sleep(200);
  expect(looks.mock.calls.length).toBeLessThan(20);
  answer();
  expect(await (await queue.enqueue(work.job())).wait({ timeout: "3s" })).toBe(1);
});
