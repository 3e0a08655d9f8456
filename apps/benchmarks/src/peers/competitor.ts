/** Who is measured on SQLite: `taskq` is ours, `ceiling` a bare loop on better-sqlite3. */
export type OnSqlite = "taskq" | "plainjobs" | "liteque" | "ceiling";
/** Who is measured on Redis: `taskq-redis` is ours, `ceiling-redis` a bare loop of one script. */
export type OnRedis = "taskq-redis" | "bullmq" | "bee-queue" | "groupmq" | "ceiling-redis";
export type CompetitorName = OnSqlite | OnRedis;
export type Durability = "normal" | "full";

/** What travels with each job: about 100 bytes of JSON. */
export interface Payload {
  readonly n: number;
  /** `nanoseconds()` just before it was enqueued, where that is measured. */
  readonly at: number;
  readonly text: string;
}

/** The `n`-th payload of a run. */
export function payload(n: number, at: number = 0): Payload {
  return { n, at, text: "a text that makes the whole of it about one hundred bytes" };
}

/** The payloads from one number on, so many of them, but none beyond `end`. */
export function payloads(from: number, count: number, end: number = Infinity): Payload[] {
  return Array.from({ length: Math.min(count, end - from) }, (_, index) => payload(from + index));
}

/** What each job is guarded by: a lock of a thousand, the one lock there is, a limit of a hundred, a key of its own. */
export type EachGuard = "lock" | "one-lock" | "limit" | "unique";
/** Or one job in a hundred, by a lock or a key of its own. */
export type Guard = EachGuard | "few-locks" | "few-keys";

/** Messages that are signed, or encrypted as well. */
export type Protection = "signed" | "encrypted";

export interface OpenOptions {
  /** The file of the queue, or the URL of its server. */
  readonly path: string;
  /** Of a file. */
  readonly durability: Durability;
  /** @default none; taskq only */
  readonly guard?: Guard | undefined;
  /** @default none; taskq only */
  readonly protection?: Protection | undefined;
}
export interface ConsumeOptions {
  readonly workers: number;
  /** Jobs claimed ahead; `undefined`: the default. Ignored by those that have none. */
  readonly prefetch: number | undefined;
  /** The handler: asynchronous, does nothing, answers a number. */
  readonly run: (payload: Payload) => Promise<number>;
}

/** One competitor's queue in one process. */
export interface Session {
  /** Stores one job; durable as asked once it is awaited. */
  enqueue(payload: Payload): unknown;
  /** Stores many in the largest unit that the competitor offers; `due`: taskq and BullMQ only. */
  enqueueMany(payloads: readonly Payload[], due?: Date): unknown;
  /** Stores one job and waits for its result. */
  roundTrip(payload: Payload): Promise<number>;
  /** Begins to consume; answers how to stop. */
  consume(options: ConsumeOptions): Promise<() => Promise<void>>;
  /** Jobs that are stored and have not completed. */
  unfinished(): Promise<number>;
  close(): Promise<void>;
}

export interface Competitor {
  open(options: OpenOptions): Promise<Session>;
}
