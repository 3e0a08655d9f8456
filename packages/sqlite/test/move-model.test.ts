/** The model test on a queue that moves all the while between storages: it must not be told from one that stays. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelSuite, type Fixture } from "@taskq/conformance";
import type { Storage } from "@taskq/core";
import type { OpenRequest, StorageContract, TakeAnswer, ValueAnswer } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { describe, expect, test } from "vitest";
import { sqliteStorage } from "../src/index.js";

/** Before every so many calls that change something, the queue moves if nothing runs. */
const EVERY = 3;
const RUNS = 25;
/** How long a start that was taken is known by its operation. */
const REMEMBERED = 600_000;
const TAKEN: TakeAnswer = { taken: true, opensAt: undefined };
let moves = 0;
const CHANGING = new Set([
  "step",
  "reap",
  "amend",
  "tick",
  "enqueue",
  "control",
  "schedules",
  "values",
  "keys",
  "take",
]);

type Call = (request: { queue: string; now: number }) => Promise<unknown>;

/** Purges after every call that may end a job, as in the model test of a storage that stays. */
const ENDING = new Set(["step", "reap", "amend", "tick", "enqueue"]);

class Travelling {
  readonly #make: readonly (() => StorageContract)[];
  readonly #every: number;
  readonly #left: StorageContract[] = [];
  #here: StorageContract;
  #opened: OpenRequest | undefined;
  #made = 0;
  #calls = 0;
  /** A repeat of what was asked of another storage is asked of that one in life, and answered here. */
  readonly #requests = new Map<string, number>();
  #requestsBefore = new Map<string, number>();
  readonly #answers = new Map<string, readonly ValueAnswer[]>();
  /** Until when a start that was taken is known by its operation. */
  readonly #taken = new Map<string, number>();
  /** Places in the lines of locks do not move. */
  #linesUntil = -Infinity;

  constructor(make: readonly (() => StorageContract)[], every: number) {
    this.#make = make;
    this.#every = every;
    this.#here = this.#next();
  }

  #next(): StorageContract {
    const make = this.#make[this.#made % this.#make.length];
    this.#made += 1;
    if (make === undefined) throw new RangeError("no storages to travel between");
    return make();
  }

  get storage(): StorageContract {
    return new Proxy(this.#here, {
      get: (_, property) => {
        const value: unknown = Reflect.get(this.#here, property);
        if (typeof value !== "function") return value;
        return async (request: never) => this.#call(String(property), request);
      },
    });
  }

  async #call(name: string, given: { queue: string; now: number }): Promise<unknown> {
    const known = this.#answers.get((given as { operation?: string }).operation ?? "");
    if (name === "values" && known !== undefined) return known;
    const { operation = "" } = given as { operation?: string };
    if (name === "take" && (this.#taken.get(operation) ?? -Infinity) > given.now) return TAKEN;
    if (name === "open") this.#opened = given as unknown as OpenRequest;
    else if (CHANGING.has(name) && (this.#calls += 1) % this.#every === 0) await this.#move(given);
    const request = this.#repeated(name, given);
    const call = Reflect.get(this.#here, name) as Call;
    const answer = await call.call(this.#here, request);
    this.#remember(name, request as never, answer);
    for (let more = ENDING.has(name); more;) {
      ({ more } = await this.#here.purge({ queue: given.queue, limit: 50, now: given.now }));
    }
    return answer;
  }

  #repeated<R extends object>(name: string, request: R): R {
    if (name !== "step") return request;
    const { owner, request: number } = request as unknown as { owner: string; request: number };
    return number <= (this.#requestsBefore.get(owner) ?? -1) ? { ...request, claim: undefined } : request;
  }

  #remember(
    name: string,
    request: {
      owner: string;
      request: number;
      claim?: object;
      operation: string;
      operations: readonly { kind: string }[];
      now: number;
      wait?: number;
    },
    answer: unknown,
  ): void {
    if (name === "step" && request.claim !== undefined) {
      this.#requests.set(request.owner, Math.max(request.request, this.#requests.get(request.owner) ?? 0));
    }
    if (name === "values" && request.operations.some(({ kind }) => kind !== "get")) {
      this.#answers.set(request.operation, answer as readonly ValueAnswer[]);
    }
    if (name === "take" && (answer as TakeAnswer).taken) {
      this.#taken.set(request.operation, request.now + REMEMBERED);
    }
    if (name === "keys") {
      const { status, expiresAt = 0 } = answer as { status: string; expiresAt?: number };
      const until = status === "waiting" ? request.now + (request.wait ?? 0) : expiresAt;
      this.#linesUntil = Math.max(this.#linesUntil, until);
    }
  }

  async #move({ queue, now }: { queue: string; now: number }): Promise<void> {
    if (now < this.#linesUntil) return;
    const from = this.#here;
    const leaving = await from.export({ queue, now, kind: "begin" });
    if (!leaving.still) {
      await from.export({ queue, now, kind: "cancel", destination: undefined });
      return;
    }
    const to = this.#next();
    await to.open({ ...this.#opened, queue, now } as OpenRequest);
    const departure = leaving.departure ?? "";
    const { arrival = "" } = await to.import({ queue, now, kind: "begin", departure, epoch: leaving.epoch });
    let cursor: string | undefined;
    do {
      const page = await from.export({ queue, now, kind: "page", departure, cursor, limit: 5 });
      cursor = page.cursor;
      await to.import({ queue, now, kind: "page", departure, records: page.records, cursor });
    } while (cursor !== undefined);
    const { counts } = await to.import({ queue, now, kind: "seal", departure });
    const expected = (await from.export({ queue, now, kind: "count", departure })).counts;
    assert.deepEqual(counts, expected, "the counts differ");
    await from.export({ queue, now, kind: "finish", departure, destination: arrival });
    await to.import({ queue, now, kind: "open", departure, arrival });
    this.#requestsBefore = new Map(this.#requests);
    this.#left.push(from);
    this.#here = to;
    moves += 1;
  }

  async close(): Promise<void> {
    for (const storage of [...this.#left, this.#here]) await storage.close();
  }
}

const contractOf = (storage: Storage): StorageContract => storage as unknown as StorageContract;

function travelling(kinds: readonly ("memory" | "sqlite")[]): Fixture {
  const folder = mkdtempSync(join(tmpdir(), "taskq-travel-"));
  let files = 0;
  const make = {
    memory: () => contractOf(memoryStorage()),
    sqlite: () => contractOf(sqliteStorage({ path: join(folder, `${(files += 1)}.db`) })),
  };
  const traveller = new Travelling(
    kinds.map((kind) => make[kind]),
    EVERY,
  );
  return {
    storage: traveller.storage,
    close: async () => {
      await traveller.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** That every kind of move occurs is for the model test of a storage that stays: there are more sequences. */
const declare = test;
const runner: Parameters<typeof modelSuite>[0]["runner"] = {
  describe,
  test: (name, body, timeout) => (name.startsWith("sequences") ? declare(name, body, timeout) : undefined),
};

for (const kinds of [["memory"], ["sqlite"], ["memory", "sqlite"]] as const) {
  modelSuite({
    runner,
    name: `a queue that travels on ${kinds.join(" and ")}`,
    create: async () => travelling(kinds),
    reference: async () => staying(),
    runs: RUNS,
  });
}

test("the queue did travel", () => {
  expect(moves).toBeGreaterThan(RUNS * 3);
});

function staying(): Fixture {
  const traveller = new Travelling([() => contractOf(memoryStorage())], Infinity);
  return { storage: traveller.storage, close: async () => traveller.close() };
}
