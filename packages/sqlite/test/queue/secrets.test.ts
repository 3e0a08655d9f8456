// Nothing of what a job holds is in an error, an event or a log line, and hostile names are names as any other.
import { inspect } from "node:util";
import {
  Cancel,
  createQueue,
  every,
  jsonSerializer,
  task,
  type JobError,
  type Logger,
  type QueueOptions,
} from "@taskq/core";
import { advance, virtualClock } from "@taskq/core/testing";
import type { StorageContract } from "@taskq/core/storage";
import { describe, expect, onTestFinished, test } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const CANARY = "canary-4111111111111111";
const noon = new Date("2026-01-01T12:00:00Z");

/** All that was told: log lines, events, and the errors that callers were given. */
class Told {
  readonly #told: unknown[] = [];
  readonly logger: Logger;

  constructor() {
    const note = (...line: readonly unknown[]): void => void this.#told.push(line);
    this.logger = { debug: note, info: note, warn: note, error: note };
  }

  note(what: unknown): void {
    this.#told.push(what);
  }

  /** Of what is to be refused. */
  async refusal(attempt: () => unknown): Promise<void> {
    try {
      await attempt();
    } catch (error) {
      this.#told.push(error, String(error), error instanceof Error ? error.stack : undefined);
      return;
    }
    throw new Error(`expected a refusal of ${String(attempt)}`);
  }

  get leaks(): readonly string[] {
    return this.#told
      .map((one) =>
        inspect(one, { depth: 20, maxArrayLength: null, maxStringLength: null, showHidden: true }),
      )
      .filter((one) => one.includes(CANARY));
  }

  get size(): number {
    return this.#told.length;
  }
}

describe.each(storages)("secrets on $name", ({ make }) => {
  test("what a job, a value or an option holds is in no error, event or log line", async () => {
    const told = new Told();
    const storage = make();
    const secret = { card: CANARY, [CANARY]: { card: CANARY } };
    const failing = task("failing", { retries: 1, timeout: "1m", lock: "l" }, fail);
    const hanging = task("keyed", { unique: { key: () => ({ secret }) as never } }, pass);
    const long = task("long", { lock: { key: () => CANARY.repeat(20) } }, pass);
    const follow = task("follow", async (input: unknown) => new URL(`http://x/${typeof input}`));
    const tasks = { failing, hanging, long, follow };
    const options = { logger: told.logger, clock: virtualClock(noon) };
    const queue = immediateQueue(storage, tasks, options);
    queue.on("*", (event) => {
      told.note(event);
      throw new Error("a listener that throws");
    });
    const headers = { authorization: CANARY };
    const failed = await queue.enqueue(failing.job(secret).pipe(follow), { headers });
    await told.refusal(() => failed.wait());
    told.note(await queue.why(failed.id));
    await told.refusal(() => queue.enqueue(hanging.job(secret)));
    await told.refusal(() => queue.enqueue(long.job(secret)));
    await told.refusal(() => queue.enqueue(failing.job({ secret, now: () => CANARY })));
    await told.refusal(() => queue.enqueue(failing.job({ secret, later: Promise.resolve(CANARY) })));
    await told.refusal(() =>
      queue.enqueue(failing.job(secret), { headers: { authorization: [CANARY] } as never }),
    );
    await told.refusal(() => queue.enqueue(failing.job(secret), { headers: [CANARY] as never }));
    await told.refusal(() => queue.enqueue(failing.job({ text: CANARY.repeat(60_000) })));
    await queue.values.set("v", secret);
    await told.refusal(() => queue.values.increment("v"));
    await queue.schedules.upsert("s", { schedule: every("1m"), job: failing.job(secret) });
    await advance(queue, "5m");
    await damage(storage as unknown as StorageContract);
    await advance(queue, "1m");
    for await (const { quarantine, outcome, unreadable } of queue.jobs({ state: "quarantined" })) {
      // The bytes are what was asked for.
      told.note([quarantine?.reason, quarantine?.code, outcome, unreadable]);
    }
    await told.refusal(() => queue.values.get("damaged"));
    await told.refusal(() => queue.schedules.trigger("damaged"));
    await told.refusal(() => createQueue({ storage: { url: CANARY } as never, tasks }));
    await told.refusal(() => createQueue({ storage, tasks, serializer: { key: CANARY } as never }));
    expect((await queue.counts()).quarantined).toBe(DAMAGED.length);
    expect(told.size).toBeGreaterThan(30);
    expect(told.leaks).toEqual([]);
  });

  test("stacks are kept and told only where the queue says so", async () => {
    const failing = task("failing", { retries: 1 }, async (_: undefined, { log }) => {
      log.error({ error: new Error("inner") }, "a line");
      throw new Error("no", { cause: new Error("deeper") });
    });
    for (const stacks of [true, false]) {
      const queue = immediateQueue(make(), { failing }, { stacks });
      const errors: JobError[] = [];
      queue.on(["failed", "retrying"], (event) => {
        if ("error" in event) errors.push(event.error);
      });
      const { id } = await queue.enqueue(failing.job(undefined));
      const info = await queue.job(id);
      const [line] = await queue.result(id).logs();
      const seen = [
        ...errors,
        ...(info?.attempts ?? []).map(({ error }) => error),
        line?.fields["error"] as JobError,
      ];
      expect(seen.length).toBe(5);
      expect(seen.map((error) => error?.stack !== undefined)).toEqual(seen.map(() => stacks));
      expect(JSON.stringify([info, errors, line]).includes("deeper")).toBe(stacks);
    }
  });

  test("redact is given every error as data before it is stored or told, and its answer takes the error's place", async () => {
    const failing = task("failing", { retries: 1 }, async ({ card }: { card: string }, { log }) => {
      log.error({ error: new Error(`log ${card}`) }, "a line");
      throw Object.assign(new Error(`the card ${card} was refused`), { code: `E-${card}` });
    });
    const given: unknown[] = [];
    const redact: NonNullable<QueueOptions["redact"]> = (error, job) => {
      given.push([job.id, job.task, job.input, job.attempt]);
      return {
        ...error,
        message: error.message.replaceAll(CANARY, "<card>"),
        code: undefined,
        stack: undefined,
        details: "none",
      };
    };
    const queue = immediateQueue(make(), { failing }, { redact, serializeError: String });
    const told = new Told();
    queue.on(["failed", "retrying"], told.note.bind(told));
    const result = await queue.enqueue(failing.job({ card: CANARY }));
    await told.refusal(() => result.wait());
    const { input, ...info } = (await result.info()) ?? { input: undefined };
    told.note([info, await result.logs()]);
    expect(input).toEqual({ card: CANARY });
    expect(info).toMatchObject({
      outcome: {
        error: { name: "Error", message: "the card <card> was refused", details: "none", code: undefined },
      },
    });
    expect(told.leaks).toEqual([]);
    expect(given).toContainEqual([result.id, "failing", { card: CANARY }, 1]);
    expect(given).toContainEqual([result.id, "failing", undefined, 2]);
  });

  test.each([
    {
      name: "throws",
      redact: () => {
        throw new Error(CANARY);
      },
    },
    { name: "answers nothing", redact: () => undefined },
    { name: "answers a text", redact: () => CANARY },
    { name: "answers a promise", redact: async () => ({ name: "Error", message: CANARY }) },
  ])("where redact $name, nothing of the error is kept", async ({ redact }) => {
    const failing = task("failing", async (input: unknown) => {
      throw new Error(`${typeof input} ${CANARY}`);
    });
    const queue = immediateQueue(make(), { failing }, { redact: redact as never });
    const { id } = await queue.enqueue(failing.job(undefined));
    const info = await queue.job(id);
    expect(info?.outcome).toMatchObject({
      state: "failed",
      error: { message: expect.stringMatching(/^nothing is told of this error: redact/) as string },
    });
    expect(inspect(info, { depth: 20 })).not.toContain(CANARY);
  });

  test("a redact that keeps everything too long or of another kind is cut to what is stored", async () => {
    const failing = task("failing", fail);
    const queue = immediateQueue(make(), { failing }, { redact: () => LONG });
    const outcome = (await queue.job((await queue.enqueue(failing.job(undefined))).id))?.outcome;
    const error = outcome?.state === "failed" ? outcome.error : undefined;
    expect(error).toMatchObject({ name: "Error", code: undefined });
    expect(error?.message.length).toBeLessThan(10_100);
    // More than an error may take: its details are left out, and it says so.
    expect(error?.details).toMatch(
      /^left out, since they cannot be stored: the error takes \d+ bytes; the limit is 131072 bytes$/,
    );
  });

  test("a handler's reason for cancelling is cut", async () => {
    const giving = task("giving", async (length: number) => {
      throw new Cancel("r".repeat(length));
    });
    const queue = immediateQueue(make(), { giving });
    const outcome = (await queue.job((await queue.enqueue(giving.job(100_000))).id))?.outcome;
    expect(outcome?.state === "cancelled" ? outcome.reason.length : undefined).toBeLessThan(10_100);
  });

  test("names that every object has are names as any other, and unknown until they are made", async () => {
    const queue = immediateQueue(
      make(),
      { add: task("add", async (input: unknown) => input) },
      { clock: virtualClock(noon) },
    );
    const add = queue.tasks.get("add");
    for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "prototype"]) {
      expect(queue.tasks.has(name)).toBe(false);
      expect(await queue.job(name)).toBeUndefined();
      expect(await queue.result(name).state()).toBeUndefined();
      expect(await queue.values.get(name)).toBeUndefined();
      expect(await queue.values.increment(name, 2)).toBe(2);
      expect(await queue.schedules.pause(name)).toBe(false);
      await expect(queue.schedules.trigger(name)).rejects.toMatchObject({ code: "TASKQ_UNKNOWN_SCHEDULE" });
      await queue.schedules.upsert(name, {
        schedule: every("1h"),
        job: (add as never as { job: (input: unknown) => never }).job(1),
      });
      {
        await using held = await queue.lock(name).acquire();
        expect(held.name).toBe(name);
      }
      await queue.limit(name, { max: 1, per: "1s" }).acquire();
    }
    await advance(queue, "1h");
    expect((await queue.counts()).completed).toBe(5);
  });

  test("tasks may be called as what every object has, and their counts and statistics tell of them", async () => {
    const names = ["constructor", "toString", "hasOwnProperty"];
    const [constructor, toString, hasOwnProperty] = [
      task("constructor", async (input: number) => input),
      task("toString", async (input: number) => input),
      task("hasOwnProperty", async (input: number) => input),
    ];
    const tasks = { constructor, toString, hasOwnProperty };
    const storage = make();
    const queue = immediateQueue(storage, tasks, { clock: virtualClock(noon) });
    await queue.enqueueMany([constructor.job(1), toString.job(1), hasOwnProperty.job(1)]);
    const waiting = createQueue({ storage, tasks, clock: virtualClock(noon) });
    onTestFinished(() => waiting.close());
    await waiting.enqueue(constructor.job(1));
    const counts = await waiting.counts({ by: "task" });
    const { tasks: stats } = await waiting.stats({ by: "task" });
    expect(Object.keys(counts).toSorted()).toEqual(names.toSorted());
    for (const name of names) {
      expect(counts[name]).toMatchObject({ completed: 1, ready: name === "constructor" ? 1 : 0 });
      expect(stats[name]).toMatchObject({
        completed: 1,
        oldestWaitingMs: name === "constructor" ? 0 : undefined,
      });
    }
    expect(Object.keys(Object)).toEqual([]);
    expect(() => task("__proto__", async () => 1)).toThrow("the name of a task: expected 1 to 128 letters");
  });

  test("keys __proto__ in inputs, results, values, headers and extras are refused, and change no prototype", async () => {
    const evil = JSON.parse(
      '{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}',
    ) as object;
    const give = task("give", async (input: unknown) => (input === 1 ? evil : input));
    const take = task("take", async (input: object): Promise<object> => input);
    const queue = immediateQueue(make(), { give, take });
    await expect(queue.enqueue(take.job(evil))).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    await expect(
      queue.enqueue(take.job({}), { headers: JSON.parse('{"__proto__":"x"}') as never }),
    ).rejects.toMatchObject({
      code: "TASKQ_INPUT",
    });
    await expect(queue.values.set("v", evil)).rejects.toMatchObject({ code: "TASKQ_INPUT" });
    await expect((await queue.enqueue(give.job(1))).wait()).rejects.toMatchObject({ code: "TASKQ_FAILED" });
    await expect(queue.enqueue(take.job({ a: 1 }).pipe(take, evil))).rejects.toMatchObject({
      code: "TASKQ_INPUT",
    });
    const inner = JSON.parse('{"constructor":{"prototype":{"polluted":true}}}') as object;
    expect(await (await queue.enqueue(take.job(inner).pipe(take, { by: 1 }))).wait()).toEqual({
      ...inner,
      by: 1,
    });
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

/** Longer than any error is kept, and not of texts alone. */
const LONG = {
  name: 7,
  message: "m".repeat(50_000),
  stack: "s".repeat(90_000),
  code: {},
  details: "d".repeat(500_000),
} as unknown as JobError;

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

async function pass(input: unknown): Promise<unknown> {
  return input;
}

async function fail(input: unknown): Promise<never> {
  throw new Error(`refused ${typeof input}`);
}

/** Bytes with the canary in them, of which none can be read. */
const DAMAGED = [
  `{"v":1,"task":"failing","input":"${CANARY}`,
  `{"v":1,"task":"failing","input":"${CANARY}",}`,
  CANARY,
  `~["${CANARY}`,
  `~[["${CANARY}",1],2]`,
  `{"v":1,"task":"${CANARY}","input":1}`,
  `{"v":1,"task":"failing","headers":{"${CANARY}":1}}`,
  `{"v":1,"task":"failing","stage":"${CANARY}"}`,
  `{"v":1,"task":"failing","options":{"backoff":{"kind":"${CANARY}"}}}`,
  `{"v":1,"task":"failing","options":{"backoff":{"kind":"fixed","base":"${CANARY}"}}}`,
];

async function damage(storage: StorageContract): Promise<void> {
  const now = noon.getTime() + 1;
  for (const [index, text] of DAMAGED.entries()) {
    const rest = {
      expiresAt: undefined,
      after: undefined,
      gates: undefined,
      unique: undefined,
      keep: undefined,
    };
    const delivery = "at-least-once" as const;
    const id = `damaged-${index}`;
    const job = {
      id,
      named: true,
      task: "failing",
      body: encode(text),
      priority: 0,
      due: now,
      delivery,
      ...rest,
    };
    await storage.enqueue({ queue: "default", flows: [{ end: id, jobs: [job], joins: [] }], now });
  }
  const bytes = encode(`{"v":1,"schedule":"${CANARY}`);
  const change = { kind: "upsert", name: "damaged", origin: "stored", task: "failing", bytes } as const;
  await storage.schedules({ queue: "default", change, now });
  const operations = [{ kind: "set", key: "damaged", bytes, expiresAt: undefined }] as const;
  await storage.values({ queue: "default", operation: "damage", operations, now });
}

test("the serializer's refusals quote nothing of what was read", () => {
  const context = { purpose: "task", namespace: "n", queue: "q", id: "1", task: "t" } as const;
  const told = DAMAGED.map((text) => {
    try {
      return jsonSerializer().decode(encode(text), context) === undefined ? "undefined" : "read";
    } catch (error) {
      return inspect(error, { showHidden: true });
    }
  });
  expect(told.filter((one) => one.includes(CANARY))).toEqual([]);
  expect(told.filter((one) => one.includes("TASKQ_INPUT")).length).toBe(5);
});
