import { createQueue, task } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { closing, serve } from "./serving.js";
import { storages, until } from "./support.js";

const known = task("known", async () => "known");
const strange = task("strange", async () => "strange");

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
});
