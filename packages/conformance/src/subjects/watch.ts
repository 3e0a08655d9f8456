import assert from "node:assert/strict";
import type { StorageContract, WatchHint } from "@taskq/core/storage";
import { promise, subject, type Subject } from "../promise.js";

/** A hint comes within a second, from other processes too; a little more for a busy machine. */
const PATIENCE = 2_500;

class Listener {
  readonly #stop: () => void;
  readonly hints: WatchHint[] = [];

  constructor(storage: StorageContract, queue: string) {
    this.#stop = storage.watch(queue, (hint) => void this.hints.push(hint));
  }

  /** Waits for a hint that may stand for this kind, and forgets the others. */
  async hears(kind: WatchHint["kind"]): Promise<void> {
    const end = Date.now() + PATIENCE;
    while (!this.hints.some((hint) => hint.kind === kind || hint.kind === "any")) {
      assert.ok(Date.now() < end, `not told of what is ${kind}`);
      await pause(10);
    }
    this.hints.length = 0;
  }

  stop(): void {
    this.#stop();
  }
}

async function pause(milliseconds: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}

export const watching: Subject = subject("watch", [
  promise("watching tells of jobs that become ready and of jobs that become final", async (context) => {
    const here = new Listener(context.storage, context.queue);
    const there = new Listener(await context.second(), context.queue);
    try {
      const job = context.job();
      await context.enqueue(job);
      await Promise.all([here.hears("ready"), there.hears("ready")]);
      const run = await context.claimOne(job.id);
      here.hints.length = 0;
      there.hints.length = 0;
      await context.complete(run);
      await Promise.all([here.hears("final"), there.hears("final")]);
      here.stop();
      here.stop();
      await context.enqueue(context.job());
      await there.hears("ready");
      assert.deepEqual(here.hints, [], "told after it stopped watching");
    } finally {
      here.stop();
      there.stop();
    }
  }),
]);
