/** Moves between queues in several partitions by movers that end after any of their commands. */
import { drain } from "@taskq/consumer";
import { cancelMove, createQueue, moveQueue, task, TaskqError } from "@taskq/core";
import type { QueuePhase, StorageContract } from "@taskq/core/storage";
import { afterEach, describe, expect, test } from "vitest";
import { redisStorage } from "../src/index.js";
import { OpenQueue } from "../src/open-queue.js";
import { serverBinary } from "./servers/binary.js";
import type { RedisServer } from "./servers/redis-server.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { newPrefix } from "./support/store.js";

const work = task("work", async (n: number) => n);
const JOBS = 12;

/** Of a mover: with this command and all later ones it has ended. */
let lastCommand = Infinity;
let commands = 0;
interface Runs {
  run: (this: OpenQueue, ...call: Parameters<OpenQueue["run"]>) => ReturnType<OpenQueue["run"]>;
}

const prototype: Runs = OpenQueue.prototype;
const { run } = prototype;
prototype.run = function (...call) {
  commands += 1;
  return commands < lastCommand ? run.apply(this, call) : Promise.reject(new Error("it has ended"));
};

afterEach(() => {
  lastCommand = Infinity;
});

/** What a mover does until it ends; whether it did. */
async function endsAt(command: number, what: () => Promise<unknown>): Promise<boolean> {
  commands = 0;
  lastCommand = command;
  try {
    await what();
    return false;
  } catch (error) {
    if (error instanceof TaskqError) throw error;
    return true;
  } finally {
    lastCommand = Infinity;
  }
}

/** The two queues, as another process knows them. */
function endsOn(server: RedisServer, prefixes: readonly [string, string]) {
  const storages = prefixes.map((keyPrefix) => redisStorage({ url: server.url, keyPrefix, partitions: 3 }));
  const [from, to] = storages.map((storage) => {
    const queue = createQueue({ storage, tasks: { work } });
    afterTest(() => queue.close());
    return queue;
  });
  if (from === undefined || to === undefined) throw new Error("two are made");
  const phases = (): Promise<QueuePhase[]> =>
    Promise.all(
      storages.map((storage) => (storage as unknown as StorageContract).phase({ queue: "default" })),
    );
  return { from, to, phases };
}

type Ends = ReturnType<typeof endsOn>;

async function filled(server: RedisServer): Promise<readonly [string, string]> {
  const prefixes = [newPrefix(), newPrefix()] as const;
  const { from, to } = endsOn(server, prefixes);
  await from.enqueueMany(Array.from({ length: JOBS }, (_, n) => work.job(n)));
  await to.counts();
  return prefixes;
}

/** How many end where the queue has moved to, one of them stored there. */
async function completedAt({ to }: Ends): Promise<number | undefined> {
  await to.enqueue(work.job(0));
  await drain(to);
  return (await to.counts()).completed;
}

describe.skipIf(serverBinary() === undefined)("a mover of a queue in several partitions", () => {
  test("that ends at any command: the next one goes on", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    let hasEnded = true;
    for (let command = 1; hasEnded; command += 1) {
      const prefixes = await filled(server);
      const { from, to } = endsOn(server, prefixes);
      hasEnded = await endsAt(command, () => moveQueue(from, to));
      const next = endsOn(server, prefixes);
      await moveQueue(next.from, next.to);
      expect([command, ...(await next.phases())]).toEqual([command, "left", "open"]);
      expect([command, await completedAt(next)]).toEqual([command, JOBS + 1]);
    }
  }, 60_000);

  test("that ends at any command before the target has opened: the move is taken back", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    for (let command = 1; ; command += 1) {
      const prefixes = await filled(server);
      const { from, to } = endsOn(server, prefixes);
      if (!(await endsAt(command, () => moveQueue(from, to)))) break;
      const next = endsOn(server, prefixes);
      await cancelMove(next.from, next.to);
      expect([command, ...(await next.phases())]).toEqual([command, "open", "open"]);
      expect([command, (await next.to.counts()).ready]).toEqual([command, 0]);
      await moveQueue(next.from, next.to);
      expect([command, await completedAt(next)]).toEqual([command, JOBS + 1]);
    }
  }, 60_000);

  test("that ends as it takes a move back: a new move goes on as well", async () => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    let hasEnded = true;
    for (let command = 1; hasEnded; command += 1) {
      const prefixes = await filled(server);
      const first = endsOn(server, prefixes);
      const stop = new AbortController();
      const onProgress = (): void => stop.abort();
      const options = { signal: stop.signal, onProgress };
      await expect(moveQueue(first.from, first.to, options)).rejects.toThrow("aborted");
      const second = endsOn(server, prefixes);
      hasEnded = await endsAt(command, () => cancelMove(second.from, second.to));
      const next = endsOn(server, prefixes);
      await moveQueue(next.from, next.to);
      expect([command, ...(await next.phases())]).toEqual([command, "left", "open"]);
      expect([command, await completedAt(next)]).toEqual([command, JOBS + 1]);
    }
  }, 60_000);
});
