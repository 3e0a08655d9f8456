import type { WatchHint } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { alone, OpenedQueue } from "./opened-queue.ts";

test("a listener that throws neither keeps the others from hearing nor surfaces as uncaught", async () => {
  const queue = await OpenedQueue.open();
  const uncaught: unknown[] = [];
  const note = (error: unknown): void => void uncaught.push(error);
  process.on("uncaughtException", note);
  const heard: WatchHint["kind"][] = [];
  queue.storage.watch("main", () => {
    throw new Error("a listener of a user");
  });
  queue.storage.watch("main", ({ kind }) => void heard.push(kind));
  try {
    await queue.enqueue(alone(queue.job()));
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(["ready"]);
    expect(uncaught).toEqual([]);
  } finally {
    process.off("uncaughtException", note);
  }
});
