import { fork, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { StorageContract, WatchHint } from "@taskq/core/storage";
import { fileURLToPath } from "node:url";
import { expect, test, vi } from "vitest";
import { connect, type Connection } from "../src/connection.js";
import { loadDriver } from "../src/load-driver.js";
import { LogWatch } from "../src/log-watch.js";
import { FileWatch } from "../src/watch.js";
import { afterTest, claim, flow, openStorage, QUEUE, temporaryFolder } from "./support.ts";

interface Heard {
  readonly hints: WatchHint[];
  next(): Promise<WatchHint>;
}

function listen(storage: StorageContract): Heard {
  const hints: WatchHint[] = [];
  const waiting: ((hint: WatchHint) => void)[] = [];
  const stop = storage.watch(QUEUE, (hint) => {
    hints.push(hint);
    for (const resolve of waiting.splice(0)) resolve(hint);
  });
  afterTest(stop);
  return { hints, next: () => new Promise((resolve) => void waiting.push(resolve)) };
}

/** A process that opens the file, and stores a job whenever it is told to. */
async function other(path: string): Promise<ChildProcess> {
  const child = fork(new URL("./other-process.js", import.meta.url), {
    env: { ...process.env, TASKQ_FILE: path },
  });
  afterTest(() => void child.kill("SIGKILL"));
  await once(child, "message");
  await Promise.all([once(child, "message"), Promise.resolve(child.send("open"))]);
  return child;
}

test.each([
  ["told within a second, and mostly at once", "real/jobs.db"],
  ["told as soon where a link leads to the file", "link.db"],
])(
  "what another process stores is %s",
  async (_, name) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "real"));
    const path = join(folder, "real", "jobs.db");
    symlinkSync(path, join(folder, "link.db"));
    const storage = await openStorage({ path: join(folder, name) });
    const child = await other(path);
    const heard = listen(storage);
    const delays: number[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const next = heard.next();
      const [[stored]] = await Promise.all([once(child, "message"), Promise.resolve(child.send("store"))]);
      const told = performance.now();
      expect((await next).kind).toBe("any");
      delays.push(performance.now() - told);
      expect(await storage.read({ queue: QUEUE, ids: [stored as string] })).toMatchObject([
        { state: "ready" },
      ]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(Math.max(...delays)).toBeLessThan(1_000);
    expect(delays.toSorted((a, b) => a - b)[5]).toBeLessThan(100);
  },
  20_000,
);

test("what was of no use to anybody is told of all the same", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const child = await other(path);
  const heard = listen(storage);
  const delays: number[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    const next = heard.next();
    await Promise.all([once(child, "message"), Promise.resolve(child.send("store"))]);
    const stored = performance.now();
    expect((await next).kind).toBe("any");
    delays.push(performance.now() - stored);
  }
  expect(delays.toSorted((a, b) => a - b)[10]).toBeLessThan(100);
}, 20_000);

test("what this process stores and settles is told with its kind and ids", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const heard = listen(storage);
  const stored = flow();
  await storage.enqueue({ queue: QUEUE, flows: [stored] });
  expect(heard.hints).toContainEqual({ kind: "ready" });
  const [run] = await claim(storage, 1);
  await storage.step({
    queue: QUEUE,
    owner: "owner",
    request: 2,
    tasks: ["work"],
    settled: [
      {
        id: run!.id,
        fence: run!.fence,
        startedAt: Date.now(),
        outcome: { kind: "completed", result: undefined },
        add: undefined,
      },
    ],
    begun: [],
    claim: undefined,
  });
  expect(heard.hints).toContainEqual({ kind: "final", ids: [stored.end] });
  await storage.control({ queue: QUEUE, task: undefined, change: { kind: "pause" } });
  expect(heard.hints).toContainEqual({ kind: "control" });
});

test("our own commits are not told as another process's", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const heard = listen(storage);
  for (let turn = 0; turn < 20; turn += 1) await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(heard.hints.filter(({ kind }) => kind === "any")).toEqual([]);
});

test("a listener that was let go hears nothing more", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const hints: WatchHint[] = [];
  const stop = storage.watch(QUEUE, (hint) => void hints.push(hint));
  stop();
  stop();
  await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  expect(hints).toEqual([]);
});

test("a listener that throws does not keep the call from being answered, nor others from hearing", async () => {
  const storage = await openStorage({ path: join(temporaryFolder(), "jobs.db") });
  const errors: unknown[] = [];
  const uncaught = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", (error) => void errors.push(error));
  afterTest(() => {
    process.removeAllListeners("uncaughtException");
    for (const listener of uncaught) process.on("uncaughtException", listener);
  });
  afterTest(
    storage.watch(QUEUE, () => {
      throw new Error("of a listener");
    }),
  );
  const heard = listen(storage);
  await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  expect(heard.hints).toContainEqual({ kind: "ready" });
  await new Promise(setImmediate);
  expect(errors).toMatchObject([{ message: "of a listener" }]);
});

/** Whether this process has the system tell of writes to the log of a file: Linux says so. */
function isListenedTo(path: string): boolean {
  const inode = statSync(`${path}-wal`).ino.toString(16);
  return readdirSync("/proc/self/fdinfo").some((name) => {
    try {
      const told = readFileSync(`/proc/self/fdinfo/${name}`, "utf8");
      return told.split("\n").some((line) => line.startsWith("inotify ") && line.includes(` ino:${inode} `));
    } catch {
      // The folder was read by a descriptor that is closed by now.
      return false;
    }
  });
}

/** Claims one job after the other, of more than that, until it is told to stop. */
async function claimOn(storage: StorageContract, goesOn: () => boolean): Promise<void> {
  for (let request = 1; goesOn(); request += 1) {
    expect(await claim(storage, request)).toHaveLength(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}

test.runIf(process.platform === "linux")(
  "who claims and claims is not woken by each write of others, and is told of them all the same",
  async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path });
    const child = await other(path);
    const heard = listen(storage);
    await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 10_000 }, () => flow()) });
    expect(isListenedTo(path)).toBe(true);
    let goesOn = true;
    const claiming = claimOn(storage, () => goesOn);
    await expect.poll(() => isListenedTo(path)).toBe(false);
    const delays: number[] = [];
    for (let turn = 0; turn < 10; turn += 1) {
      const next = heard.next();
      await Promise.all([once(child, "message"), Promise.resolve(child.send("store"))]);
      const stored = performance.now();
      expect((await next).kind).toBe("any");
      delays.push(performance.now() - stored);
    }
    expect(isListenedTo(path)).toBe(false);
    expect(delays.toSorted((a, b) => a - b)[5]).toBeLessThan(100);
    goesOn = false;
    await claiming;
    await expect.poll(() => isListenedTo(path)).toBe(true);
  },
  20_000,
);

test.runIf(process.platform === "linux")(
  "who has found nothing more listens again at once, and hears what was written before",
  async () => {
    const path = join(temporaryFolder(), "jobs.db");
    const storage = await openStorage({ path });
    const child = await other(path);
    const heard = listen(storage);
    await storage.enqueue({ queue: QUEUE, flows: Array.from({ length: 2_000 }, () => flow()) });
    let request = 1;
    for (; isListenedTo(path) && request < 1_000; request += 1) {
      await claim(storage, request);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const before = heard.hints.length;
    await Promise.all([once(child, "message"), Promise.resolve(child.send("store"))]);
    await claim(storage, request, 10_000);
    expect(isListenedTo(path)).toBe(true);
    expect(heard.hints.slice(before)).toContainEqual({ kind: "any" });
  },
  20_000,
);

test("a file whose version cannot be read as the watch begins is watched all the same", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  await openStorage({ path });
  const own = connect(loadDriver(), { path, prefix: "taskq_", durability: "normal" });
  afterTest(() => own.close());
  let reads = 0;
  const dataVersion = (): number => {
    reads += 1;
    if (reads === 1) throw Object.assign(new Error("database is locked"), { code: "SQLITE_BUSY_RECOVERY" });
    return own.dataVersion();
  };
  const connection = Object.create(own, { dataVersion: { value: dataVersion } }) as Connection;
  const changed = vi.fn<() => void>();
  const watch = new FileWatch({ connection, changed, look: () => {} });
  afterTest(() => watch.end());
  expect(() => watch.start()).not.toThrow();
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1), { timeout: 2_000 });
  // Several users; the first one has begun it.
  watch.start();
  const writer = new (loadDriver())(path, { timeout: 0 });
  afterTest(() => void writer.close());
  writer.exec("CREATE TABLE beside (n)");
  await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(2), { timeout: 2_000 });
});

interface Writing {
  /** Milliseconds until what was written can be seen; `undefined`: not before something else is. */
  readonly seenAfter: number | undefined;
}

/** Watches a file that is written to, but whose commits can be seen some time later, as with a slow disk. */
async function watched(): Promise<{ write: (writing: Writing) => void; changes: () => number }> {
  const path = join(temporaryFolder(), "jobs.db");
  await openStorage({ path });
  const [own, writer] = [0, 1].map(() =>
    connect(loadDriver(), { path, prefix: "taskq_", durability: "normal" }),
  ) as [Connection, Connection];
  afterTest(() => [own, writer].forEach((connection) => connection.close()));
  writer.driver.exec("CREATE TABLE beside (n)");
  let seen = 0;
  const connection = Object.create(own, { dataVersion: { value: () => seen } }) as Connection;
  let changes = 0;
  const watch = new FileWatch({ connection, changed: () => (changes += 1), look: () => {} });
  watch.start();
  afterTest(() => watch.end());
  return {
    write({ seenAfter }) {
      writer.driver.exec("INSERT INTO beside VALUES (1)");
      if (seenAfter === 0) seen += 1;
      else if (seenAfter !== undefined) setTimeout(() => (seen += 1), seenAfter);
    },
    changes: () => changes,
  };
}

test.each([
  { seenAfter: 8, within: 200 },
  { seenAfter: 130, within: 330 },
])(
  "of two commits that the system tells of at once, the second one, which waits $seenAfter ms for the disk, is told of as soon",
  async ({ seenAfter, within }) => {
    const { write, changes } = await watched();
    for (let turn = 1; turn <= 5; turn += 1) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      const told = changes();
      write({ seenAfter: 0 });
      write({ seenAfter });
      const before = performance.now();
      await vi.waitFor(() => expect(changes()).toBe(told + 2), { timeout: 2_000, interval: 5 });
      expect(performance.now() - before).toBeLessThan(within);
    }
  },
  20_000,
);

test("a commit that waits long for the disk is told of soon, and one after it that does not is not kept waiting", async () => {
  const { write, changes } = await watched();
  const delays: number[] = [];
  for (let turn = 1; turn <= 6; turn += 1) {
    const told = changes();
    write({ seenAfter: 130 });
    const before = performance.now();
    await vi.waitFor(() => expect(changes()).toBe(told + 1), { timeout: 2_000, interval: 5 });
    expect(performance.now() - before).toBeLessThan(330);
    // Its looks are far between by now.
    write({ seenAfter: undefined });
    await new Promise((resolve) => setTimeout(resolve, 90));
    write({ seenAfter: 12 });
    const again = performance.now();
    await vi.waitFor(() => expect(changes()).toBe(told + 2), { timeout: 2_000, interval: 5 });
    delays.push(performance.now() - again);
  }
  expect(delays.toSorted((a, b) => a - b)[3]).toBeLessThan(60);
}, 20_000);

test("a process that only watches may end", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  await (await openStorage({ path })).close();
  const child = fork(new URL("./watch-and-end.js", import.meta.url), {
    env: { ...process.env, TASKQ_FILE: path },
  });
  afterTest(() => void child.kill("SIGKILL"));
  const [code] = (await once(child, "exit")) as [number | null];
  expect(code).toBe(0);
});

test("where the system has no watches left, a warning says so, and what others store is told all the same", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  const script = fileURLToPath(new URL("./watch-without.js", import.meta.url));
  const child = spawn("sh", ["-c", `ulimit -n 256; exec "${process.execPath}" "${script}"`], {
    env: { ...process.env, TASKQ_FILE: path },
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  afterTest(() => void child.kill("SIGKILL"));
  const told: { readonly code?: string; readonly message?: string; readonly kind?: string }[] = [];
  child.on("message", (message) => told.push(message as (typeof told)[number]));
  await vi.waitFor(() => expect(told).toHaveLength(2), 10_000);
  const warnings = told.filter(({ code }) => code !== undefined);
  expect(warnings).toMatchObject([{ code: "TASKQ_FILE_WATCH" }]);
  expect(warnings[0]?.message).toMatch(/jobs\.db is looked at every 25 ms .*: EMFILE.*fs\.inotify/);
  await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  await vi.waitFor(() => expect(told).toContainEqual({ kind: "any" }), 5_000);
});

interface Elsewhere {
  readonly warnings: readonly unknown[];
  /** Milliseconds from each of so many commits until it hears of it. */
  readonly delays: (times: number) => Promise<readonly number[]>;
}

/** A process that watches a file as it would on another system. */
async function elsewhere(system: string, options: { readonly mode?: number } = {}): Promise<Elsewhere> {
  const path = join(temporaryFolder(), "jobs.db");
  const storage = await openStorage({ path });
  if (options.mode !== undefined) chmodSync(path, options.mode);
  const child = fork(new URL("./unlike-linux.js", import.meta.url), [system], {
    env: { ...process.env, TASKQ_FILE: path },
  });
  afterTest(() => void child.kill("SIGKILL"));
  const warnings: unknown[] = [];
  let heard: (() => void) | undefined;
  child.on("message", (message: { readonly code?: string; readonly kind?: string }) => {
    if (message.code !== undefined) warnings.push(message);
    if (message.kind !== undefined) heard?.();
  });
  await once(child, "message");
  return {
    warnings,
    async delays(times) {
      const delays: number[] = [];
      for (let turn = 0; turn < times; turn += 1) {
        const next = new Promise<void>((resolve) => void (heard = resolve));
        await storage.enqueue({ queue: QUEUE, flows: [flow()] });
        const stored = performance.now();
        await next;
        delays.push(performance.now() - stored);
        // Beside the looks that follow each other.
        await new Promise((resolve) => setTimeout(resolve, 35 + turn));
      }
      return delays;
    },
  };
}

const middle = (delays: readonly number[]): number =>
  delays.toSorted((a, b) => a - b)[delays.length >> 1] ?? NaN;

test("where the system tells of files and not of folders, as macOS does, what others store is told at once", async () => {
  const { delays, warnings } = await elsewhere("macos");
  expect(middle(await delays(11))).toBeLessThan(15);
  expect(warnings).toEqual([]);
}, 20_000);

test.each(["windows", "silent"])(
  "where the system tells nothing, what others store is found within a few hundredths of a second: %s",
  async (system) => {
    const { delays, warnings } = await elsewhere(system);
    // Whether it tells is found out by what it does not tell of.
    if (system === "silent") await delays(3);
    expect(middle(await delays(21))).toBeLessThan(80);
    expect(warnings).toEqual([]);
  },
  20_000,
);

test("the system tells of what is written to the log, and of nothing beside it", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "jobs.db");
  const storage = await openStorage({ path });
  const told = vi.fn<() => void>();
  const watch = new LogWatch({ path, told, instead: "looked at" });
  afterTest(() => watch.letGo());
  watch.listen();
  for (let turn = 0; turn < 100; turn += 1)
    writeFileSync(join(folder, "beside.log"), "a line\n", { flag: "a" });
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(told).not.toHaveBeenCalled();
  await storage.enqueue({ queue: QUEUE, flows: [flow()] });
  await vi.waitFor(() => expect(told).toHaveBeenCalled());
});

test("a mode that Windows makes up is no warning", async () => {
  for (const [system, codes] of [
    ["windows", []],
    ["silent", ["TASKQ_FILE_MODE"]],
  ] as const) {
    const child = await elsewhere(system, { mode: 0o666 });
    // Whatever it has to say by then came first.
    await child.delays(1);
    expect(child.warnings).toMatchObject(codes.map((code) => ({ code })));
  }
});
