/** `taskq dump` and `taskq load`, as processes. */
import { readFile, writeFile } from "node:fs/promises";
import { createConsumer } from "@taskq/consumer";
import { createQueue, every, group, periodic, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { mistakeOf } from "./in-process.js";
import { Project } from "./taskq.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const held = task("held", async (n: number) => n);
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0));
const once = task("once", { unique: { key: "one" } }, async () => "once");
const often = periodic("often", every("20ms"), { overlap: "queue" }, ({ signal }) => endOf(signal));

/** Rejects with the reason once the signal has aborted. */
function endOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

const MODULE = `
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
const path = process.env.DATABASE ?? new URL("jobs.db", import.meta.url).pathname;
const storage = sqliteStorage({ path });
export const shop = createQueue({ name: "shop", storage, tasks: {} });
`;
const files = { "queue.mjs": MODULE };
/** Of a busy machine, for a test of several processes. */
const PATIENCE = 60_000;

function openShop(project: Project, file = "jobs.db") {
  const storage = sqliteStorage({ path: project.path(file) });
  return createQueue({ name: "shop", storage, tasks: { add, held, sum, once } });
}

/** Runs `taskq` on the module to its end, with this file behind it. */
async function taskq(project: Project, database: string, ...args: readonly string[]) {
  await using command = project.taskq(args, { DATABASE: database });
  const code = await command.ended();
  return { code, output: command.output, errors: command.errors };
}

async function idsOf(queue: ReturnType<typeof openShop>): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of queue.jobs()) ids.push(id);
  return ids.toSorted();
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "resolved",
    (error: { code?: unknown }) => error.code,
  );
}

/** Runs what can be run. */
async function runAll(queue: ReturnType<typeof openShop>): Promise<void> {
  const consumer = createConsumer(queue);
  await consumer.start();
  for (;;) {
    const { ready, active } = await queue.counts();
    if (ready + active === 0) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await consumer.stop();
}

test(
  "what a queue keeps is dumped and loaded elsewhere, and goes on there",
  async () => {
    await using project = await Project.with(files);
    await using shop = openShop(project);
    await shop.pause(held);
    const chord = await shop.enqueue(group([add.job({ a: 1, b: 1 }), held.job(7)]).pipe(sum));
    const done = await shop.enqueue(add.job({ a: 2, b: 3 }), { id: "given \u2028 id" });
    await shop.values.set("greeting", { hello: "world" });
    await shop.values.set("short", 1, { ttl: 1 });
    await runAll(shop);
    const unique = await shop.enqueue(once.job(), { delay: "1h" });

    const dumped = await taskq(project, "jobs.db", "dump", "queue.mjs", "--reopen", "-o", "shop.ndjson");
    expect([dumped.code, dumped.output]).toEqual([0, ""]);
    expect(dumped.errors).toMatch(
      /^dumping queue shop of sqlite \S+jobs\.db to shop\.ndjson\n {2}dumped \d+ records in .*\n(?: {4} *\d+ {2}.*\n)+ {2}the queue is open again: start its consumers\n$/,
    );
    expect(await codeOf(shop.enqueue(add.job({ a: 1, b: 1 }), { id: "later" }))).toBe("resolved");
    const lines = (await readFile(project.path("shop.ndjson"), "utf8")).split("\n");
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ taskq: "dump", format: 1, queue: "shop" });
    expect(JSON.parse(lines.at(-2) ?? "")).toMatchObject({ end: true, records: lines.length - 3 });

    const loaded = await taskq(project, "new.db", "load", "queue.mjs", "shop.ndjson");
    expect([loaded.code, loaded.errors]).toEqual([0, ""]);
    expect(loaded.output).toMatch(
      /loaded \d+ records in .*\n(?: {4} *\d+ {2}.*\n)+ {2}the queue is open: start consumers/,
    );
    await using copy = openShop(project, "new.db");
    expect((await idsOf(shop)).filter((id) => id !== "later")).toEqual(await idsOf(copy));
    expect(await copy.result(add, done.id).wait()).toBe(5);
    expect(await copy.values.get("greeting")).toEqual({ hello: "world" });
    expect(await copy.values.get("short")).toBeUndefined();
    expect((await copy.enqueue(once.job())).id).toBe(unique.id);
    await copy.resume(held);
    await runAll(copy);
    expect(await copy.result(sum, chord.id).wait()).toBe(9);

    const again = await taskq(project, "new.db", "load", "queue.mjs", "shop.ndjson");
    expect([again.code, again.output.split("\n")[1]]).toEqual([
      0,
      "  this dump was loaded here before; nothing is done",
    ]);
  },
  PATIENCE,
);

test(
  "a run of a schedule that waits for the one before is dumped and loaded, and still waits for it",
  async () => {
    await using project = await Project.with(files);
    const storage = sqliteStorage({ path: project.path("jobs.db") });
    await using shop = createQueue({ name: "shop", storage, tasks: { often } });
    const consumer = createConsumer(shop);
    await consumer.start();
    while ((await shop.counts()).parked === 0) await new Promise((resolve) => setTimeout(resolve, 10));
    await consumer.stop({ grace: 0 });
    expect(await shop.counts()).toMatchObject({ ready: 1, parked: 1 });
    const dumped = await taskq(project, "jobs.db", "dump", "queue.mjs", "--keep-closed", "-o", "shop.ndjson");
    expect(dumped.code).toBe(0);

    const loaded = await taskq(project, "new.db", "load", "queue.mjs", "shop.ndjson");
    expect([loaded.code, loaded.errors]).toEqual([0, ""]);
    await using copy = openShop(project, "new.db");
    expect(await copy.counts()).toMatchObject({ ready: 1, parked: 1 });
  },
  PATIENCE,
);

test(
  "a dump of a queue in use is of one moment: all that was taken before it, and nothing else",
  async () => {
    await using project = await Project.with(files);
    await using shop = openShop(project);
    await using served = openShop(project);
    const stopped = createConsumer(served)
      .run()
      .catch((error: { code?: unknown }) => error.code);
    const [before, refused]: [string[], string[]] = [[], []];
    const codes = new Set<unknown>();
    let n = 0;
    const produce = async (until: () => boolean): Promise<void> => {
      for (; !until(); n += 1) {
        const id = `job ${n}`;
        const members = [add.job({ a: n, b: 1 }), add.job({ a: n, b: 2 })];
        const code = await codeOf(shop.enqueue(group(members).pipe(sum), { id }));
        (code === "resolved" ? before : refused).push(id);
        codes.add(code);
      }
    };
    await produce(() => before.length >= 50);
    await using command = project.taskq(["dump", "queue.mjs", "--keep-closed"]);
    let ended = false;
    const code = command.ended().finally(() => (ended = true));
    await produce(() => ended);
    expect(await code).toBe(0);
    expect(command.errors).toMatch(
      /the queue stays closed; the same line with --cancel instead of the other options opens it\n$/,
    );
    expect(await stopped).toBe("TASKQ_MOVED");
    expect([...codes]).toEqual(["resolved", "TASKQ_MOVED"]);
    await expect(shop.enqueue(add.job({ a: 0, b: 0 }))).rejects.toThrow("or being dumped");
    await writeFile(project.path("shop.ndjson"), command.output);

    expect((await taskq(project, "new.db", "load", "queue.mjs", "shop.ndjson")).code).toBe(0);
    await using copy = openShop(project, "new.db");
    const counts = await copy.counts();
    expect(counts.active).toBe(0);
    await runAll(copy);
    for (const id of before) expect(await copy.result(sum, id).state()).toBe("completed");
    expect((await idsOf(copy)).some((id) => refused.includes(id))).toBe(false);

    const stillClosed = await taskq(project, "jobs.db", "dump", "queue.mjs", "-o", "again.ndjson");
    expect(stillClosed.errors).toMatch(/the queue was closed before, and stays so;/);
    const opened = await taskq(project, "jobs.db", "dump", "queue.mjs", "--cancel");
    expect(opened.errors).toMatch(/is open again: start consumers and producers\n$/);
    expect(await codeOf(shop.enqueue(add.job({ a: 1, b: 1 })))).toBe("resolved");
  },
  PATIENCE,
);

test(
  "a load that is killed over and over goes on where it was, and loads all of it once",
  async () => {
    await using project = await Project.with(files);
    {
      await using shop = openShop(project);
      await shop.enqueueMany(Array.from({ length: 4_000 }, (_, n) => add.job({ a: n, b: 1 })));
    }
    const dumped = await taskq(project, "jobs.db", "dump", "queue.mjs", "--keep-closed", "-o", "shop.ndjson");
    expect(dumped.code).toBe(0);
    await using copy = openShop(project, "new.db");
    let kills = 0;
    for (let wait = 5; kills < 3; wait += 20) {
      await using command = project.taskq(["load", "queue.mjs", "shop.ndjson"], { DATABASE: "new.db" });
      await command.printed("loading queue shop");
      await new Promise((resolve) => setTimeout(resolve, wait));
      command.signal("SIGKILL");
      if ((await command.ended()) === 0) break;
      kills += 1;
      expect(["TASKQ_MOVED", "resolved"]).toContain(await codeOf(copy.values.set("early", 1)));
      await copy.values.delete("early").catch(() => {});
    }
    const last = await taskq(project, "new.db", "load", "queue.mjs", "shop.ndjson");
    expect([last.code, last.errors]).toEqual([0, ""]);
    expect(kills).toBeGreaterThan(0);
    await using shop = openShop(project);
    expect(await idsOf(copy)).toEqual(await idsOf(shop));
    expect(await copy.counts()).toMatchObject({ ready: 4_000, completed: 0 });
  },
  PATIENCE,
);

test(
  "mistakes with dumps are told, and change nothing",
  async () => {
    await using project = await Project.with({
      ...files,
      "two.mjs": `${MODULE}export const post = createQueue({ name: "post", storage, tasks: {} });`,
      "post.mjs": MODULE.replace(`name: "shop"`, `name: "post"`),
      "other.ndjson": '{"some":"lines"}\n',
      "there.ndjson": "",
    });
    await using shop = openShop(project);
    await shop.enqueue(add.job({ a: 1, b: 1 }));
    expect((await taskq(project, "jobs.db", "dump", "queue.mjs", "--reopen", "-o", "shop.ndjson")).code).toBe(
      0,
    );
    const mistakes: readonly (readonly [args: readonly string[], code: number, says: string])[] = [
      [
        ["dump", "queue.mjs"],
        2,
        "taskq: a dump is taken of a queue that is closed, and 'shop' is open: while",
      ],
      [
        ["dump", "queue.mjs", "--reopen", "--keep-closed"],
        2,
        "taskq: expected one of --reopen and --keep-closed, got both",
      ],
      [
        ["dump", "two.mjs"],
        2,
        "taskq: a file holds one queue; say which of 'post', 'shop', with --queue <name>",
      ],
      [
        ["dump", "queue.mjs", "--reopen", "-o", "there.ndjson"],
        1,
        "taskq: there.ndjson is there already; give another name, or remove it",
      ],
      [
        ["dump", "queue.mjs", "--reopen", "-o", "no/such.ndjson"],
        1,
        "taskq: cannot write no/such.ndjson.part: ENOENT",
      ],
      [["load", "queue.mjs"], 2, "taskq: expected the file of a dump, or - for standard input"],
      [
        ["load", "queue.mjs", "shop.ndjson"],
        1,
        "taskq: the queue 'shop' is not empty (1 ready), and a dump cannot be added to what is there; --replace shop removes",
      ],
      [
        ["load", "queue.mjs", "shop.ndjson", "--replace", "shap"],
        2,
        "taskq: expected --replace shop, the queue of this dump, got --replace shap",
      ],
      [
        ["load", "post.mjs", "shop.ndjson"],
        1,
        "taskq: shop.ndjson is a dump of the queue 'shop'; post.mjs has 'post'",
      ],
      [["load", "queue.mjs", "none.ndjson"], 1, "taskq: no file at none.ndjson"],
      [
        ["load", "queue.mjs", "other.ndjson"],
        1,
        `taskq: other.ndjson, line 1: expected the header of a dump of taskq, got '{"some":"lines"}'`,
      ],
    ];
    for (const [args, code, says] of mistakes) {
      const { errors, code: came } = await mistakeOf(project, args);
      expect([args, came, errors.slice(0, says.length)]).toEqual([args, code, says]);
      expect(errors).not.toMatch(/^\s+at /m);
    }
    expect(await shop.counts()).toMatchObject({ ready: 1 });
    const replaced = await taskq(project, "jobs.db", "load", "queue.mjs", "shop.ndjson", "--replace", "shop");
    expect([replaced.code, replaced.errors]).toEqual([0, ""]);
    expect(await shop.counts()).toMatchObject({ ready: 1 });
  },
  PATIENCE,
);

test.each(["SIGINT", "SIGHUP"] as const)(
  "a dump that is broken off by %s opens the queue again",
  async (signal) => {
    await using project = await Project.with(files);
    await using shop = openShop(project);
    const end = new AbortController();
    const waits = task("waits", async () => {
      await new Promise((resolve) => end.signal.addEventListener("abort", resolve));
    });
    const storage = sqliteStorage({ path: project.path("jobs.db") });
    await using running = createQueue({ name: "shop", storage, tasks: { waits } });
    const started = new Promise((resolve) => running.on("started", resolve));
    await running.enqueue(waits.job());
    const stopped = createConsumer(running)
      .run()
      .catch((error: unknown) => error);
    await started;
    await using command = project.taskq(["dump", "queue.mjs", "--reopen", "-o", "shop.ndjson"]);
    await holds(() => command.errors.includes("waiting for 1 running job to end"));
    expect(await codeOf(shop.enqueue(add.job({ a: 1, b: 1 })))).toBe("TASKQ_MOVED");
    command.signal(signal);
    expect(await command.ended()).toBe(130);
    expect(command.errors).toContain(
      "broken off: the queue is open again; what was written is no whole dump",
    );
    expect(await codeOf(shop.enqueue(add.job({ a: 1, b: 1 })))).toBe("resolved");
    end.abort();
    await stopped;
  },
  PATIENCE,
);

async function holds(condition: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within 20 s: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
