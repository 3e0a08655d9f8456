/** A storage whose every mutating call is made twice, as by a caller whose first answer got lost. */
import assert from "node:assert/strict";
import type {
  EnqueueAnswer,
  EnqueueCollision,
  PurgeRequest,
  ReapAnswer,
  ReapRequest,
  StepAnswer,
  StorageContract,
  TickAnswer,
} from "@taskq/core/storage";
import { listAll } from "./invariants.js";

/** Where there are more jobs than this, they are not compared before and after the repeat. */
const LOOKED_AT = 60;

interface Request {
  readonly queue: string;
  readonly now?: number | undefined;
}

type PurgeAnswer = Awaited<ReturnType<StorageContract["purge"]>>;
type Call<R, A> = (request: R) => Promise<A>;
/** The contract with properties instead of methods, which may be handed about. */
type Functions = { readonly [Name in keyof StorageContract]: StorageContract[Name] };
/** Compares the two answers and says which one is handed on. */
type Merge<R, A> = (first: A, second: A, request: R) => A;

/** Which calls overlap. */
export class Traffic {
  #running = 0;
  #entered = 0;

  /** Answers whether the call that enters has had the store to itself so far. */
  enter(): () => boolean {
    this.#running += 1;
    this.#entered += 1;
    const entered = this.#entered;
    const first = this.#running === 1;
    return () => first && this.#entered === entered;
  }

  leave(): void {
    this.#running -= 1;
  }
}

/**
 * The storage with every mutating call made twice. The second call must change no job, and answer as the first where
 * the contract says so; where it answers what it found (`existing`, `repeated`, `stale`, nothing changed), that is
 * checked and the first answer is handed on. Not repeated: lines of a log, and the release of whoever holds a key.
 * Connections to one store share the traffic: where calls overlap, jobs may change between the two.
 */
export function repeating(storage: StorageContract, traffic: Traffic = new Traffic()): StorageContract {
  const plain = unrepeated(storage);
  const twice = <R extends Request, A>(call: Call<R, A>, merge: Merge<R, A>): Call<R, A> =>
    repeated(storage, { call, merge, traffic });
  const keys = twice(plain.keys, (first, second, request) =>
    request.kind === "release" ? first : same(first, second),
  );
  const note = twice(plain.note, same);
  return {
    ...plain,
    open: twice(plain.open, same),
    enqueue: twice(plain.enqueue, mergeEnqueue),
    step: twice(plain.step, mergeStep),
    renew: twice(plain.renew, same),
    reap: (request) => reapTwice(storage, request),
    amend: twice(plain.amend, handOn),
    control: twice(plain.control, (first, second) => {
      assert.deepEqual(second, { ...first, changed: false }, "a repeated control answers otherwise");
      return first;
    }),
    tick: twice(plain.tick, mergeTick),
    schedules: twice(plain.schedules, (first, second) => {
      assert.deepEqual(second.schedules, first.schedules, "a repeated change of schedules answers otherwise");
      return first;
    }),
    note: (request) => (request.kind === "log" ? storage.note(request) : note(request)),
    values: twice(plain.values, same),
    take: twice(plain.take, same),
    export: twice(plain.export, same),
    import: twice(plain.import, (first, second) => (first.more ? second : same(first, second))),
    keys: (request) =>
      request.kind === "release" && request.ticket === undefined ? storage.keys(request) : keys(request),
    events: twice(plain.events, same),
    purge: (request) => purgeTwice(storage, request),
    close: async () => {
      await storage.close();
      await storage.close();
    },
  };
}

/** The methods as functions that need no `this`. */
function unrepeated(storage: StorageContract): Functions {
  return {
    clock: storage.clock,
    namespace: storage.namespace,
    open: (request) => storage.open(request),
    close: () => storage.close(),
    enqueue: (request) => storage.enqueue(request),
    step: (request) => storage.step(request),
    renew: (request) => storage.renew(request),
    reap: (request) => storage.reap(request),
    amend: (request) => storage.amend(request),
    control: (request) => storage.control(request),
    tick: (request) => storage.tick(request),
    schedules: (request) => storage.schedules(request),
    read: (request) => storage.read(request),
    list: (request) => storage.list(request),
    explain: (request) => storage.explain(request),
    counts: (request) => storage.counts(request),
    note: (request) => storage.note(request),
    notes: (request) => storage.notes(request),
    values: (request) => storage.values(request),
    keys: (request) => storage.keys(request),
    take: (request) => storage.take(request),
    watch: (queue, listener) => storage.watch(queue, listener),
    stats: (request) => storage.stats(request),
    events: (request) => storage.events(request),
    export: (request) => storage.export(request),
    import: (request) => storage.import(request),
    phase: (request) => storage.phase(request),
    purge: (request) => storage.purge(request),
  };
}

function repeated<R extends Request, A>(
  storage: StorageContract,
  {
    call,
    merge,
    traffic,
  }: { readonly call: Call<R, A>; readonly merge: Merge<R, A>; readonly traffic: Traffic },
): Call<R, A> {
  return async (request) => {
    const alone = traffic.enter();
    try {
      let first: A;
      try {
        first = await call(request);
      } catch (error) {
        await mustRejectAlike(() => call(request), error);
        throw error;
      }
      const before = await snapshot(storage, request);
      const second = await call(request);
      const behind = await snapshot(storage, request);
      if (alone()) assert.deepEqual(behind, before, "a repeated call changed jobs");
      return merge(first, second, request);
    } finally {
      traffic.leave();
    }
  };
}

async function mustRejectAlike(call: () => Promise<unknown>, error: unknown): Promise<void> {
  await assert.rejects(call, (again: unknown) => {
    assert.equal(
      (again as { code?: unknown }).code,
      (error as { code?: unknown }).code,
      "a repeated call rejects otherwise",
    );
    return true;
  });
}

/** Every job as it reads, and every count; of a queue with many jobs, the counts alone. */
async function snapshot(storage: StorageContract, { queue, now }: Request): Promise<unknown> {
  if (now === undefined) return undefined;
  const counts = (await storage.counts({ queue, now }))["*"];
  const total = Object.values(counts ?? {}).reduce((sum, count) => sum + count, 0);
  return { counts, jobs: total > LOOKED_AT ? undefined : await listAll(storage, { queue, now }) };
}

function same<A>(first: A, second: A): A {
  assert.deepEqual(second, first, "a repeated call answers otherwise");
  return second;
}

function handOn<A>(first: A): A {
  return first;
}

function mergeEnqueue(
  first: EnqueueAnswer | EnqueueCollision,
  second: EnqueueAnswer | EnqueueCollision,
): EnqueueAnswer | EnqueueCollision {
  if ("collision" in first || "collision" in second) return same(first, second);
  const existing = first.flows.map(({ id }) => ({ id, status: "existing" }));
  const found = second.flows.map(({ id, status }) => ({ id, status }));
  assert.deepEqual(found, existing, "a repeated enqueue finds what the first one stored");
  return first;
}

function mergeStep(first: StepAnswer, second: StepAnswer): StepAnswer {
  const expected = first.settled.map((answer) => (answer === "applied" ? "repeated" : answer));
  assert.deepEqual(second.settled, expected, "a repeated step answers its settlements otherwise");
  assert.deepEqual(second.claimed, first.claimed, "a repeated step claims otherwise");
  assert.deepEqual(second.revoked, first.revoked, "a repeated step tells of other revoked runs");
  return { ...first, claimed: second.claimed, nextDue: second.nextDue };
}

function mergeTick(first: TickAnswer, second: TickAnswer): TickAnswer {
  assert.equal(second.lastAt, first.lastAt, "a repeated tick answers another instant");
  return first;
}

/** What is reaped is answered once: a second pass at the same instant takes nothing. */
async function reapTwice(storage: StorageContract, request: ReapRequest): Promise<ReapAnswer> {
  const first = await storage.reap(request);
  if (first.reaped.length >= request.limit) return first;
  const second = await storage.reap(request);
  assert.deepEqual(second.reaped, [], "a second pass at the same instant takes more");
  return first;
}

/** Nothing is left to remove where the first one says so; where there is more, a second call is no repeat. */
async function purgeTwice(storage: StorageContract, request: PurgeRequest): Promise<PurgeAnswer> {
  const first = await storage.purge(request);
  if (first.more) return first;
  assert.deepEqual(
    await storage.purge(request),
    { removed: 0, more: false },
    "a repeated purge removes more",
  );
  return first;
}
