// A password, a key and the inputs of jobs are in no error, event, log line or warning, whatever goes wrong.
import { inspect } from "node:util";
import { createConsumer } from "@taskq/consumer";
import { createQueue, task, type Logger } from "@taskq/core";
import { Redis } from "ioredis";
import { describe, expect, onTestFinished, test } from "vitest";
import { redisStorage, type RedisOptions } from "../src/index.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer } from "./servers/redis-server.js";

const CANARY = "canary-4111111111111111";

describe.skipIf(serverBinary() === undefined)("secrets", () => {
  test("what is told while a server is used, is killed and refuses holds none", async () => {
    const told: unknown[] = [];
    const note = (...line: readonly unknown[]): void => void told.push(line);
    const logger: Logger = { debug: note, info: note, warn: note, error: note };
    process.on("warning", note);
    onTestFinished(() => void process.off("warning", note));
    const refusal = async (attempt: () => unknown): Promise<void> => {
      const error: unknown = await Promise.resolve()
        .then(attempt)
        .then(
          () => undefined,
          (refused: unknown) => refused,
        );
      expect(error).toBeInstanceOf(Error);
      told.push(error);
    };
    const server = await startRedisServer({ arguments: ["--requirepass", CANARY], password: CANARY });
    onTestFinished(() => server.stop());
    const address = `127.0.0.1:${server.port}`;
    const failing = task("failing", async (input: unknown) => {
      throw new Error(`refused ${typeof input}`);
    });
    const open = (options: RedisOptions) => {
      const queue = createQueue({
        storage: redisStorage({ timeout: "500ms", ...options }),
        tasks: { failing },
        logger,
      });
      onTestFinished(() => queue.close());
      return queue;
    };
    const queue = open({ url: `redis://:${CANARY}@${address}` });
    queue.on("*", note);
    const { id } = await queue.enqueue(failing.job({ card: CANARY }));
    const consumer = createConsumer(queue, { workers: 2 });
    await consumer.start();
    await refusal(() => queue.result(id).wait({ timeout: "10s" }));

    const client = new Redis({ port: server.port, password: CANARY, maxRetriesPerRequest: 1 });
    client.on("error", () => {});
    onTestFinished(() => client.disconnect());
    const key = { key: `-----BEGIN PRIVATE KEY-----${CANARY}`, passphrase: CANARY, ca: CANARY };
    const others: RedisOptions[] = [
      { url: `redis://:wrong-${CANARY}@${address}` },
      { url: `redis://${CANARY}:${CANARY}@${address}/99` },
      { connection: { port: server.port, password: `wrong-${CANARY}` } },
      { connection: { port: server.port, password: CANARY, tls: { rejectUnauthorized: true } } },
      { client },
    ];
    const queues = others.map(open);
    const job = failing.job({ card: CANARY });
    await Promise.all(queues.slice(0, 4).map((other) => refusal(() => other.enqueue(job))));
    await refusal(() => open({ connection: { port: server.port, password: CANARY, tls: key } }).counts());
    await consumer.stop();
    await server.kill();
    const headers = { authorization: CANARY };
    await Promise.all(
      [queue, ...queues].flatMap((other) => [
        refusal(() => other.enqueue(job, { headers })),
        refusal(() => other.values.set("v", { card: CANARY })),
      ]),
    );
    expect(told.length).toBeGreaterThan(15);
    const leaks = told
      .map((one) =>
        inspect(one, { depth: 12, showHidden: true, maxStringLength: null, maxArrayLength: null }),
      )
      .filter((one) => one.includes(CANARY));
    expect(leaks).toEqual([]);
  }, 60_000);
});
