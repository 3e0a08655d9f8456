import { once } from "node:events";
import { createConsumer } from "@taskq/consumer";
import { createQueue, group, task, type Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { mistakeOf } from "./in-process.js";
import { pairsOf } from "../src/pairs.js";
import { SHOP } from "./modules.js";
import { Project } from "./taskq.js";

/** Of a busy machine, for a test of several processes. */
const PATIENCE = 60_000;

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const charge = task("charge", { retries: 1 }, async () => {});
const slow = task("slow", async (milliseconds: number) => String(milliseconds));
const sum = task("sum", async (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0));

/** The queue of the module `SHOP` in a file, from this process. */
function openShop(project: Project, file = "jobs.db") {
  const storage = sqliteStorage({ path: project.path(file) });
  return createQueue({ name: "shop", storage, tasks: { add, charge, slow, sum } });
}

/** Runs `taskq` to its end. */
async function taskq(project: Project, ...args: readonly string[]) {
  // Where the tests are started from says where packages are found: not here.
  await using command = project.taskq(args, { NODE_PATH: "" });
  const code = await command.ended();
  return { code, output: command.output, errors: command.errors };
}

async function codeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => "resolved",
    (error: { code?: unknown }) => error.code,
  );
}

test(
  "a queue moves to another file beside its consumer, says what went along, and moves back",
  async () => {
    await using project = await Project.with({ "queue.mjs": SHOP });
    await using shop = openShop(project);
    await shop.enqueueMany(Array.from({ length: 20 }, (_, n) => add.job({ a: n, b: 1 })));
    await shop.enqueue(group([add.job({ a: 1, b: 1 }), add.job({ a: 2, b: 2 })]).pipe(sum), { delay: "1h" });
    await shop.values.set("greeting", "hello");
    await using consumer = project.taskq(["run", "queue.mjs", "--no-periodic"]);
    await consumer.printed("running;");
    while ((await shop.counts()).completed < 20) await new Promise((resolve) => setTimeout(resolve, 10));

    const moved = await taskq(project, "move", "queue.mjs", "sqlite:new.db");
    expect(moved.errors).toBe("");
    expect(moved.code).toBe(0);
    expect(moved.output).toMatch(
      new RegExp(
        `^moving queue shop
  from  sqlite ${project.path("jobs.db")}
  to    sqlite ${project.path("new.db")}
  copied \\d+ records in [\\d.]+ \\w+
  both keep the same:
     1  jobs blocked
    20  jobs completed
     2  jobs waiting
     1  groups
     1  statistics, by task and minute
     1  values
  moved, and open: start consumers and producers at the new place
  what the old one kept can still be read there, until you flush it
$`,
      ),
    );
    expect(await consumer.ended()).toBe(1);
    expect(consumer.errors).toMatch(
      /^taskq: the queue "shop" (?:is moving to another storage, or being dumped|has moved to another storage) \(TASKQ_MOVED\)\n$/,
    );
    expect(await codeOf(shop.enqueue(add.job({ a: 1, b: 1 })))).toBe("TASKQ_MOVED");

    const again = await taskq(project, "move", "queue.mjs", "sqlite:new.db");
    expect([again.code, again.output.split("\n")[3]]).toEqual([0, "  has moved before, and is open there"]);
    const late = await taskq(project, "move", "queue.mjs", "sqlite:new.db", "--cancel");
    expect([late.code, late.errors]).toEqual([
      1,
      "taskq: the queue 'shop' has opened where it was moved to, and may have changed there: " +
        `to have it back, move it from that place to sqlite ${project.path("jobs.db")}\n`,
    ]);
    const elsewhere = await taskq(project, "move", "queue.mjs", "sqlite:third.db");
    expect([elsewhere.code, elsewhere.errors.split("\n").slice(1)]).toEqual([
      1,
      ["  it has left for another place before, or gone on from there: move it from where it is now", ""],
    ]);
    const lost = await taskq(project, "move", "queue.mjs", "sqlite:third.db", "--cancel");
    expect([lost.code, lost.errors]).toEqual([
      1,
      "taskq: the queue 'shop' has left for another place than this one, or this one has lost all of it: its server was flushed, " +
        "or came back with an older copy. If that is so, and sure, the same line with --lost opens it where it was\n",
    ]);
    const alone = await taskq(project, "move", "queue.mjs", "sqlite:third.db", "--lost");
    expect([alone.code, alone.errors]).toEqual([2, "taskq: --lost is said with --cancel\n"]);
    const back = await taskq(project, "move", "sqlite:new.db", "queue.mjs");
    expect([back.code, back.errors]).toEqual([0, ""]);
    expect(await shop.counts()).toMatchObject({ completed: 20, scheduled: 2, blocked: 1 });
    expect(await shop.values.get("greeting")).toBe("hello");
  },
  PATIENCE,
);

/** A consumer in this process on a job that goes on until it is told. */
async function busy(queue: Queue, enqueue: () => Promise<unknown>) {
  const started = new Promise((resolve) => queue.on("started", resolve));
  await enqueue();
  const consumer = createConsumer(queue);
  const stopped = consumer.run().catch((error: unknown) => error);
  await started;
  return { stopped };
}

test(
  "Ctrl-C breaks a move off; it is taken back, begun again, broken off again and finished",
  async () => {
    const end = new AbortController();
    const told = once(end.signal, "abort");
    const wait = task("wait", async (n: number) => {
      await told;
      return String(n);
    });
    await using project = await Project.with({ "queue.mjs": SHOP });
    const storage = () => sqliteStorage({ path: project.path("jobs.db") });
    await using queue = createQueue({ name: "shop", storage: storage(), tasks: { wait, add } });
    const { stopped } = await busy(queue, () => queue.enqueue(wait.job(1)));
    const breakOff = async () => {
      await using command = project.taskq(["move", "queue.mjs", "sqlite:new.db"]);
      await command.printed("waiting for 1 running job to end");
      command.signal("SIGINT");
      expect(await command.ended()).toBe(130);
      expect(command.errors).toBe("");
      expect(command.output.split("\n").slice(4)).toEqual([
        "breaking off; once more ends at once",
        "  broken off; nothing is lost",
        "  until the move is finished or taken back, the queue takes and starts nothing:",
        "  the same line again goes on from here, and with --cancel it takes the move back",
        "",
      ]);
      expect(await codeOf(queue.enqueue(add.job({ a: 1, b: 1 })))).toBe("TASKQ_MOVED");
    };
    await breakOff();
    const cancelled = await taskq(project, "move", "queue.mjs", "sqlite:new.db", "--cancel");
    expect([cancelled.code, cancelled.errors, cancelled.output.split("\n").slice(3)]).toEqual([
      0,
      "",
      ["  taken back: open at the old place, and what had come to the new one is removed", ""],
    ]);
    await queue.enqueue(add.job({ a: 1, b: 1 }), { id: "after" });
    await breakOff();
    end.abort();
    await stopped;
    const moved = await taskq(project, "move", "queue.mjs", "sqlite:new.db");
    expect([moved.code, moved.errors]).toEqual([0, ""]);
    await using to = createQueue({
      name: "shop",
      storage: sqliteStorage({ path: project.path("new.db") }),
      tasks: { wait, add },
    });
    expect(await to.counts()).toMatchObject({ completed: 1, ready: 1, active: 0 });
  },
  PATIENCE,
);

/** Found from anywhere. */
const PLACED = SHOP.replace(`"jobs.db"`, `new URL("jobs.db", import.meta.url).pathname`);
const OTHER = PLACED.replace("jobs.db", "other.db");
const MEMORY = `
import { createQueue } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
export const queue = createQueue({ name: "shop", storage: memoryStorage(), tasks: {} });`;
const files = { "queue.mjs": PLACED, "other.mjs": OTHER, "memory.mjs": MEMORY };

test(
  "mistakes in the two places of a move are told in one line, and no password with them",
  async () => {
    await using project = await Project.with(files);
    {
      await using shop = openShop(project);
      await shop.enqueue(add.job({ a: 1, b: 1 }));
      await using other = openShop(project, "other.db");
      await other.enqueue(add.job({ a: 1, b: 1 }));
    }
    const mistakes: readonly (readonly [args: readonly string[], code: number, says: string])[] = [
      [
        ["sqlite:jobs.db", "sqlite:b.db"],
        2,
        "taskq: expected a module for one of the two, as for taskq run: it says",
      ],
      [
        ["queue.mjs", "postgres://ada:secret@host/db"],
        2,
        "taskq: no storage is known by 'postgres:'; known are sqlite:",
      ],
      [
        ["queue.mjs", "sqlite:"],
        2,
        "taskq: expected a file after 'sqlite:', such as sqlite:./jobs.db, got 'sqlite:'",
      ],
      [["sqlite:none.db", "queue.mjs"], 1, "taskq: no database at none.db"],
      [["queue.mjs", "sqlite:jobs.db"], 1, "taskq: the queue 'shop' is kept in sqlite jobs.db already"],
      [["queue.mjs", "memory.mjs"], 1, "taskq: the queue 'shop' is kept in the memory of its process"],
      [
        ["queue.mjs", "other.mjs"],
        1,
        'taskq: moveQueue to: expected the queue "shop" to be empty, got one with jobs (1 ready); the source was left as it is (TASKQ_MOVE)',
      ],
      [
        ["queue.mjs", "other.mjs", "--queue", "post"],
        1,
        "taskq: queue.mjs exports no queue named 'post', but shop (TASKQ_NO_QUEUE)",
      ],
    ];
    for (const [args, code, says] of mistakes) {
      const { errors, code: came } = await mistakeOf(project, ["move", ...args]);
      expect([args, came, errors.slice(0, says.length)]).toEqual([args, code, says]);
      expect(errors).not.toContain("secret");
      expect(errors).not.toMatch(/^\s+at /m);
    }
    await using shop = openShop(project);
    expect((await shop.enqueue(add.job({ a: 1, b: 1 }))).existing).toBe(false);
    const redis = await taskq(project, "move", "queue.mjs", "redis://ada:secret@host");
    expect([redis.code, redis.output, redis.errors]).toEqual([
      1,
      "",
      "taskq: redis://… needs the package @taskq/redis, which is not installed: npm install @taskq/redis\n",
    ]);
  },
  PATIENCE,
);

test("the queue at an address is opened as the one of the module", async () => {
  const module = SHOP.replace('name: "shop",', 'name: "shop", keep: { failed: "2d" }, unknownAfter: "3d",');
  await using project = await Project.with({ "queue.mjs": module });
  const address = `sqlite:${project.path("new.db")}`;
  const [pair] = await pairsOf(project.path("queue.mjs"), address, undefined, false);
  await using from = pair!.from;
  await using to = pair!.to;
  expect(engineOf(to).openRequest).toEqual(engineOf(from).openRequest);
  expect(engineOf(to).openRequest).toMatchObject({
    unknownAfter: 3 * 86_400_000,
    retention: { failed: { for: 2 * 86_400_000 } },
  });
});
