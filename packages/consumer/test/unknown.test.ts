import { createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { storages, until } from "./support.js";

const known = task("known", async () => "known");
const strange = task("strange", async () => "strange");

const SILENT = { debug() {}, info() {}, error() {} };

describe.each(storages)("a consumer that does not know a task, on %s", (_name, make) => {
  test("gives its jobs up after unknownAfter by itself, and another one runs them when they are retried", async () => {
    const storage = await make();
    const options = { storage, unknownAfter: 200 } as const;
    const shop = closing(createQueue({ ...options, tasks: { known, strange } }));
    const worker = closing(createQueue({ ...options, tasks: { known } }));
    const consumer = await serve(worker);
    const result = await shop.enqueue(strange.job());
    await until(async () => (await result.state()) === "quarantined");
    await expect(result.wait()).rejects.toMatchObject({ code: "TASKQ_QUARANTINED" });
    expect(await (await shop.enqueue(known.job())).wait({ timeout: "5s" })).toBe("known");

    await consumer.stop();
    expect(await shop.retry(result.id)).toBe(true);
    await serve(closing(createQueue({ ...options, tasks: { strange } })));
    expect(await result.wait({ timeout: "5s" })).toBe("strange");
  });

  test("says so to its logger, once for each task", async () => {
    const storage = await make();
    const warned: unknown[] = [];
    const logger = { ...SILENT, warn: (about: unknown) => void warned.push(about) };
    const lock = task("locked", { lock: "task:strange" }, async () => "locked");
    const shop = closing(createQueue({ storage, tasks: { known, strange, lock } }));
    await serve(closing(createQueue({ storage, tasks: { known, lock }, logger })));
    const held = await shop.lock("task:strange").acquire();
    const locked = await shop.enqueue(lock.job());
    const strangers = await shop.enqueueMany([strange.job(), strange.job()]);
    for (const result of [locked, ...strangers]) await until(async () => (await result.state()) === "parked");
    await held[Symbol.asyncDispose]();
    expect(await locked.wait({ timeout: "5s" })).toBe("locked");
    expect(warned).toEqual([{ task: "strange" }]);
  });
});
