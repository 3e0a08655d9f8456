/** What reads what others wrote. */
import { compressed, createQueue, cron, group, jsonSerializer, task, type MessageContext } from "@taskq/core";
import {
  backoffFromData,
  checkedMessage,
  decodeError,
  decodeMessage,
  engineOf,
  mergeInput,
  milliseconds,
  retryPause,
  ruleOfRecord,
} from "@taskq/core/engine";
import { checkFeedStart, feedPosition } from "@taskq/core/storage";
import { main } from "@taskq/cli";
import { memoryStorage } from "@taskq/memory";
import { signedSerializer } from "@taskq/signed-serializer";
import { anyText, anyValue, hostileBytes, jsonText, pick, type Random } from "./inputs.js";
import { movedRecords, readTampered, takeIn, tamperedDump, tamperedRecords } from "./moved.js";

export interface Target {
  readonly name: string;
  /** How often it has its turn, against the others. */
  readonly share: number;
  /** Makes an input, and answers what reads it. */
  readonly make: (random: Random) => () => unknown;
}

const CONTEXT: MessageContext = {
  purpose: "task",
  namespace: "n",
  queue: "q",
  id: "1",
  task: "add",
  fence: 1,
};
const json = jsonSerializer();
const squeezed = compressed(json, { over: 0 });

const add = task("add", async (input: unknown) => input);
const queue = createQueue({ storage: memoryStorage(), tasks: { add } });
const engine = engineOf(queue);

const values: readonly unknown[] = [
  {
    v: 1,
    task: "add",
    input: { a: 1, b: [true, null, "é"] },
    headers: { trace: "x" },
    version: 2,
    expiresAt: 1.7e12,
  },
  {
    v: 1,
    task: "add",
    options: {
      retries: 2,
      timeout: 500,
      backoff: { kind: "linear", base: 1, step: 1, max: 9, jitter: "full" },
    },
    guards: { gates: ["a"], unique: "b", after: ["c"] },
    stage: "pipe",
    extra: { by: 1 },
    keyed: "",
  },
  {
    at: new Date(0),
    map: new Map([["a", new Set([1n])]]),
    bytes: new Uint8Array(9),
    error: new Error("e"),
    none: undefined,
  },
  { name: "Error", message: "no", stack: "at x", code: "E", details: { a: 1 } },
  {
    v: 1,
    schedule: { kind: "cron", expression: "*/5 * * * *", timeZone: "Europe/Paris" },
    job: { kind: "pipe", before: { kind: "run", task: "add", input: 1 }, task: "add", extra: { b: 2 } },
    overlap: "skip",
    misfire: { all: 5 },
  },
  {
    v: 1,
    schedule: { kind: "every", expression: "15m" },
    job: {
      kind: "guarded",
      body: { kind: "group", members: [{ kind: "run", task: "add" }], mode: "all" },
      handler: "add",
    },
    overlap: "allow",
    misfire: "once",
  },
];
const plainBytes = values.map((value) => json.encode(value, CONTEXT));
const squeezedBytes = (["gzip", "brotli", "deflate"] as const).flatMap((format) =>
  values.map((value) => compressed(json, { over: 0, format }).encode(value, CONTEXT)),
);

const signed = signedSerializer({
  secret: "a secret of the fuzz command, which signs nothing else",
  encrypt: true,
});
const signedBytes = values.map((value) => signed.encode(value, CONTEXT));

const moved = await movedRecords();

const characters = (text: string): readonly string[] => text.split("");

const NOON = Date.UTC(2026, 0, 1, 12);
const CRON = [
  ...characters("0123456789*/,-?LW#@ "),
  "jan",
  "MON",
  "sun-sat",
  "@daily",
  "@reboot",
  "  ",
  "60",
  "31",
  "2 ",
  "\t",
  "é",
  "99999999999",
];
const DURATION = [
  ...characters("0123456789.-+e "),
  "ms",
  "s",
  "m",
  "h",
  "d",
  "1".repeat(50),
  "Infinity",
  "NaN",
  "é",
];
const CURSOR = [...characters("0123456789abcdef.=-"), "now", "start", "000000000000", "é", "\n"];
const ZONES = [
  "UTC",
  "Europe/Paris",
  "America/New_York",
  "Nowhere/Land",
  "__proto__",
  "",
  "+01:00",
  "utc",
  "Etc/GMT+12",
];

/** A value that no list of names of ours refuses, since it holds none but these. */
function nearly(random: Random, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(names.filter(() => random() < 0.6).map((name) => [name, anyValue(random, 3)]));
}

function bytesTarget(
  name: string,
  share: number,
  written: readonly Uint8Array[],
  read: (bytes: Uint8Array) => unknown,
): Target {
  return {
    name,
    share,
    make(random) {
      const bytes = hostileBytes(random, written);
      return () => read(bytes);
    },
  };
}

export const targets: readonly Target[] = [
  bytesTarget("json and rich", 20, plainBytes, (bytes) => json.decode(bytes, CONTEXT)),
  bytesTarget("compressed", 10, squeezedBytes, (bytes) => squeezed.decode(bytes, CONTEXT)),
  bytesTarget("signed", 10, signedBytes, (bytes) => {
    const value = signed.decode(bytes, CONTEXT);
    if (!signedBytes.some((one) => Buffer.from(one).equals(bytes)))
      throw new Error("forged bytes were accepted");
    return value;
  }),
  bytesTarget("message", 15, plainBytes, (bytes) => checkedMessage(decodeMessage(json, bytes, CONTEXT))),
  bytesTarget("error", 5, plainBytes, (bytes) => decodeError(json, bytes, CONTEXT)),
  bytesTarget("stored schedule", 10, plainBytes, (bytes) => {
    const record = {
      name: "s",
      origin: "stored",
      task: "add",
      bytes,
      paused: false,
      lastAt: 0,
      lastId: undefined,
    } as const;
    const { schedule } = ruleOfRecord(engine, record);
    return schedule.next(new Date(NOON));
  }),
  {
    name: "message data",
    share: 10,
    make(random) {
      const names = [
        "input",
        "options",
        "headers",
        "guards",
        "stage",
        "extra",
        "keyed",
        "version",
        "expiresAt",
        "delivery",
      ];
      const message = { v: 1, task: "add", ...nearly(random, names) };
      return () => {
        const { options } = checkedMessage(message);
        if (options?.backoff === undefined) return;
        // What has passed is used without another look.
        for (const attempt of [1, 50, 1e9])
          retryPause(backoffFromData(options.backoff), { attempt, error: undefined });
      };
    },
  },
  {
    name: "backoff data",
    share: 5,
    make(random) {
      const kind = pick<unknown>(random, ["fixed", "linear", "exponential", "__proto__", undefined]);
      const data = { kind, ...nearly(random, ["base", "step", "max", "factor", "jitter"]) };
      return () => {
        const policy = backoffFromData(data as unknown as Parameters<typeof backoffFromData>[0]);
        for (const attempt of [0, 1, 2_000, 1e300]) retryPause(policy, { attempt, error: undefined });
      };
    },
  },
  {
    name: "cron",
    share: 10,
    make(random) {
      const text = random() < 0.7 ? fields(random) : anyText(random, 30, CRON);
      const timeZone = random() < 0.7 ? "UTC" : pick(random, ZONES);
      return () => {
        const schedule = cron(text, { timeZone });
        const first = schedule.next(new Date(NOON));
        return first === undefined ? undefined : schedule.next(first);
      };
    },
  },
  {
    name: "cron fields",
    share: 3,
    make(random) {
      const given = nearly(random, ["second", "minute", "hour", "day", "month", "weekday"]);
      return () => cron(given).next(new Date(NOON));
    },
  },
  {
    name: "duration",
    share: 5,
    make(random) {
      const value = random() < 0.8 ? anyText(random, 12, DURATION) : anyValue(random, 2);
      return () => milliseconds(value as Parameters<typeof milliseconds>[0], "duration");
    },
  },
  {
    name: "feed cursor",
    share: 3,
    make(random) {
      const from = random() < 0.7 ? `abc.${anyText(random, 6, CURSOR)}` : anyText(random, 20, CURSOR);
      return () => feedPosition(checkFeedStart(from), { tag: "abc", last: 500, gone: 100 });
    },
  },
  {
    name: "list cursor and filter",
    share: 2,
    make(random) {
      const filter =
        random() < 0.6 ? { after: anyText(random, 24, CURSOR) } : nearly(random, ["state", "limit", "after"]);
      return async () => {
        for await (const job of queue.jobs(filter)) return job;
        return undefined;
      };
    },
  },
  {
    name: "names",
    share: 2,
    make(random) {
      const name =
        random() < 0.5
          ? anyText(random, 70)
          : pick(random, ["__proto__", "constructor", "toString", "a b", "../x"]);
      return async () => {
        await queue.job(name);
        await queue.values.get(name);
        await queue.why(name);
        return createQueue({ storage: engine.storage as never, tasks: { add }, name });
      };
    },
  },
  {
    name: "options of enqueue",
    share: 2,
    make(random) {
      const names = [
        "delay",
        "at",
        "id",
        "priority",
        "expires",
        "timeout",
        "retries",
        "backoff",
        "unique",
        "headers",
      ];
      const options = nearly(
        random,
        random() < 0.8 ? names.filter(() => random() < 0.3) : [...names, "__proto__", "other"],
      );
      const input = anyValue(random, 4);
      return () => queue.prepare(add.job(input), options);
    },
  },
  {
    name: "merged input",
    share: 3,
    make(random) {
      const output = random() < 0.5 ? anyValue(random) : parsed(jsonText(random));
      const extra = nearly(random, ["by", "__proto__", "constructor"]);
      return () => {
        const merged = mergeInput(output, extra, true);
        if (Object.getPrototypeOf(merged) !== Object.prototype)
          throw new Error("an input has another prototype");
        if (Object.hasOwn(merged as object, "__proto__")) throw new Error("an input has a key __proto__");
      };
    },
  },
  {
    name: "composition",
    share: 1,
    make(random) {
      const members = anyValue(random, 2);
      return () => group(members as Parameters<typeof group>[0]);
    },
  },
  {
    name: "dump",
    share: 3,
    make(random) {
      const bytes = tamperedDump(random, moved);
      return () => readTampered(random, bytes);
    },
  },
  {
    name: "moved rows",
    share: 1,
    make(random) {
      const records = tamperedRecords(random, moved);
      return () => takeIn(records);
    },
  },
  { name: "arguments of taskq", share: 1, make: commandLine },
];

function fields(random: Random): string {
  return Array.from({ length: 5 + Math.floor(random() * 2) }, () =>
    random() < 0.4 ? "*" : anyText(random, 4, CRON.slice(0, 18)),
  ).join(" ");
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const ARGUMENTS = [
  "run",
  "quarantine",
  "move",
  "dump",
  "load",
  "help",
  "--help",
  "-V",
  "--",
  "-",
  "--workers",
  "-w",
  "--lease",
  "--grace",
  "--prefetch",
  "--queue",
  "--release",
  "--delete",
  "all",
  "--no-periodic",
  "-v",
  "-q",
  "-vq",
  "--from",
  "--to",
  "./nowhere.js",
  "nowhere.ts",
  "0",
  "-1",
  "1e9",
  "30s",
  "adaptive",
  "__proto__",
  "--__proto__",
  "--constructor=1",
];

/** The command, its output kept from the terminal. */
function commandLine(random: Random): () => unknown {
  const length = Math.floor(random() * 6);
  const words = Array.from({ length }, () =>
    random() < 0.85 ? pick(random, ARGUMENTS) : anyText(random, 12).replaceAll(/[/.~\0]/g, ""),
  );
  return async () => {
    let told = "";
    const keep = (text: string | Uint8Array): boolean => {
      told += String(text);
      return true;
    };
    Object.assign(process.stdout, { write: keep });
    Object.assign(process.stderr, { write: keep });
    try {
      const code = await main(words);
      if (![0, 1, 2].includes(code)) throw new Error(`taskq ended with code ${code}`);
      if (/^ {4}at /m.test(told)) throw new Error(`taskq told of an error that it does not know: ${told}`);
    } finally {
      // What was there before is the prototype's.
      Reflect.deleteProperty(process.stdout, "write");
      Reflect.deleteProperty(process.stderr, "write");
    }
  };
}
