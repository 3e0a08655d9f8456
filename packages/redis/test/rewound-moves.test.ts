/** Moves of a queue while the server at one end goes back to what it was earlier: nothing is lost, and never are both open. */
import { cancelMove, createQueue, moveQueue, task, type Queue, type Storage } from "@taskq/core";
import type { QueuePhase, StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { describe, expect, test } from "vitest";
import { redisStorage, type RedisOptions } from "../src/index.js";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import type { RedisServer } from "./servers/redis-server.js";
import { until } from "./servers/until.js";
import { serverOfTest } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { goBack, save, toldOfMoves, type BeforeCall } from "./support/rewinding.js";
import { again } from "./support/spread.js";
import { newPrefix } from "./support/store.js";

const work = task("work", async (n: number) => n);
/** Three pages. */
const JOBS = 450;
/** Calls of a move that the target takes. */
const CALLS = 7;

function queueOn(storage: Storage): Queue<"work"> {
  const queue = createQueue({ storage, tasks: { work } });
  afterTest(() => queue.close());
  return queue;
}

function phaseOf(storage: Storage): Promise<QueuePhase> {
  return (storage as unknown as StorageContract).phase({ queue: "default" });
}

interface Ends {
  readonly source: Storage;
  readonly target: Storage;
  readonly from: Queue;
  readonly to: Queue;
}

/** With its jobs at the source. One end is on the server, the other in memory. */
async function endsOf(
  server: RedisServer,
  role: "source" | "target",
  options: Pick<RedisOptions, "partitions" | "minReplicas" | "timeout">,
  before: BeforeCall,
): Promise<Ends> {
  const redis = redisStorage({ url: server.url, keyPrefix: newPrefix(), ...options });
  const ends = [toldOfMoves(redis, before), memoryStorage()] as const;
  const [source, target] = role === "source" ? ends : [ends[1], ends[0]];
  const [from, to] = [queueOn(source), queueOn(target)];
  await from.enqueueMany(Array.from({ length: JOBS }, (_, n) => work.job(n)));
  await to.counts();
  return { source, target, from, to };
}

const MOVED = { source: "left", target: "open", ready: JOBS };

async function standing({ source, target, to }: Ends): Promise<object> {
  const { ready } = await to.counts();
  return { source: await phaseOf(source), target: await phaseOf(target), ready };
}

/** Saves before one call, and goes back before a later one. */
function goingBack(server: RedisServer, saved: number, back: number): BeforeCall {
  let isOver = false;
  return async (call) => {
    if (call === saved) await save(server);
    if (call === back && !isOver) {
      isOver = true;
      await goBack(server);
    }
  };
}

/** With the replica that `minReplicas` asks for, which hangs from one call of a move on. */
async function copiedEnds(role: "source" | "target", partitions: number, from: number) {
  const server = await serverOfTest({ arguments: ["--repl-diskless-sync-delay", "0"] });
  const replica = await serverOfTest({ arguments: ["--replicaof", "127.0.0.1", String(server.port)] });
  await until("it follows", async () =>
    (await ask(server.port, [["INFO", "replication"]])).includes("state=online"),
  );
  const options = { partitions, minReplicas: 1, timeout: 1_200 };
  const ends = await endsOf(server, role, options, async (call) => {
    if (call === from) replica.pause();
  });
  return { ends, replica };
}

describe.skipIf(serverBinary() === undefined)("a move, while a server goes back", () => {
  test.each([1, 3])(
    "a target that goes back between any two calls is filled again (partitions: %s)",
    async (partitions) => {
      const server = await serverOfTest();
      for (let back = 2; back <= CALLS; back += 1) {
        for (let saved = 1; saved < back; saved += 1) {
          const ends = await endsOf(server, "target", { partitions }, goingBack(server, saved, back));
          await moveQueue(ends.from, ends.to);
          expect(await standing(ends), `saved before call ${saved}, back before call ${back}`).toEqual(MOVED);
        }
      }
    },
    120_000,
  );

  test.each([1, 3])("a target that loses everything is filled again (partitions: %s)", async (partitions) => {
    const server = await serverOfTest({ arguments: ["--appendonly", "yes"] });
    for (let back = 1; back <= CALLS; back += 1) {
      let isOver = false;
      const ends = await endsOf(server, "target", { partitions }, async (call) => {
        if (call !== back || isOver) return;
        isOver = true;
        await ask(server.port, [["FLUSHALL"]]);
      });
      await moveQueue(ends.from, ends.to);
      expect(await standing(ends), `before call ${back}`).toEqual(MOVED);
    }
  });

  test.each([1, 3])(
    "a mover that ends when the source has left: the next one fills the target again (partitions: %s)",
    async (partitions) => {
      const server = await serverOfTest();
      for (let saved = 2; saved < CALLS; saved += 1) {
        let isOver = false;
        const ends = await endsOf(server, "target", { partitions }, async (call, kind) => {
          if (call === saved) await save(server);
          if (kind !== "open" || isOver) return;
          isOver = true;
          throw new Error("it ends here");
        });
        await expect(moveQueue(ends.from, ends.to)).rejects.toThrow("it ends here");
        expect(await phaseOf(ends.source)).toBe("left");
        await goBack(server);
        await moveQueue(ends.from, ends.to);
        expect(await standing(ends), `saved before call ${saved}`).toEqual(MOVED);
      }
    },
  );

  test.each([1, 3])(
    "a target that has forgotten its arrival, with no mover that knows: the source opens if that is said (partitions: %s)",
    async (partitions) => {
      const server = await serverOfTest();
      const ends = await endsOf(server, "target", { partitions }, async (call, kind) => {
        if (call === 1) await save(server);
        if (kind === "open") throw new Error("it ends here");
      });
      await expect(moveQueue(ends.from, ends.to)).rejects.toThrow("it ends here");
      await goBack(server);
      await expect(moveQueue(ends.from, ends.to)).rejects.toMatchObject({ code: "TASKQ_MOVED" });
      await expect(cancelMove(ends.from, ends.to)).rejects.toMatchObject({
        code: "TASKQ_MOVE",
        message: expect.stringContaining("{ lost: true }"),
      });
      expect(await phaseOf(ends.source)).toBe("left");
      await cancelMove(ends.from, ends.to, { lost: true });
      expect([await phaseOf(ends.source), (await ends.from.counts()).ready]).toEqual(["open", JOBS]);
    },
  );

  test.each([1, 3])(
    "without the replicas that it is to have a target lets no source go (partitions: %s)",
    async (partitions) => {
      for (const from of [2, CALLS]) {
        const { ends, replica } = await copiedEnds("target", partitions, from);
        await expect(moveQueue(ends.from, ends.to)).rejects.toMatchObject({ code: "TASKQ_UNAVAILABLE" });
        expect(await phaseOf(ends.source), `from call ${from}`).toBe(from === CALLS ? "left" : "leaving");
        replica.resume();
        await again(() => moveQueue(ends.from, ends.to));
        expect(await standing(ends), `from call ${from}`).toEqual(MOVED);
      }
    },
  );

  test.each([1, 3])(
    "without the replicas that it is to have a source opens no target (partitions: %s)",
    async (partitions) => {
      const { ends, replica } = await copiedEnds("source", partitions, CALLS);
      await expect(moveQueue(ends.from, ends.to)).rejects.toMatchObject({ code: "TASKQ_UNAVAILABLE" });
      expect(await phaseOf(ends.target)).toBe("arriving");
      replica.resume();
      await again(() => moveQueue(ends.from, ends.to));
      expect(await standing(ends)).toEqual(MOVED);
    },
  );

  test.each([1, 3])(
    "a source that goes back to where it was leaving does not open beside its target, and leaves again (partitions: %s)",
    async (partitions) => {
      const server = await serverOfTest();
      for (let saved = 2; saved <= CALLS; saved += 1) {
        const ends = await endsOf(server, "source", { partitions }, async (call) => {
          if (call === saved) await save(server);
        });
        await moveQueue(ends.from, ends.to);
        await goBack(server);
        expect(await phaseOf(ends.source)).toBe("leaving");
        await expect(cancelMove(ends.from, ends.to)).rejects.toMatchObject({ code: "TASKQ_MOVED" });
        expect(await phaseOf(ends.source)).toBe("leaving");
        await moveQueue(ends.from, ends.to);
        expect(await standing(ends), `saved before call ${saved}`).toEqual(MOVED);
      }
    },
  );
});
