import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, expect, test } from "vitest";
import { COMMON_JS, ES_MODULE, FACTOR, LAYERS, NO_TYPE, PACKAGE_WITHIN, SHOP, TYPED } from "./modules.js";
import { Project } from "./taskq.js";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
const charge = task("charge", { retries: 1 }, async () => {});
const slow = task("slow", async (milliseconds: number) => String(milliseconds));
const times = task("times", async ({ value }: { value: number }) => value);

/** The queue of the module `SHOP`, from this process. */
function openShop(project: Project) {
  const storage = sqliteStorage({ path: project.path("jobs.db") });
  return createQueue({ name: "shop", storage, tasks: { add, charge, slow } });
}

const shopFiles = { "package.json": ES_MODULE, "queue.js": SHOP };

describe("the banner", () => {
  test("lists tasks, periodic tasks with their next run, storage, versions and workers", async () => {
    await using project = await Project.with(shopFiles);
    await using command = project.taskq(["run", "./queue.js", "--workers", "3", "--lease", "10s"]);
    await command.printed("running;");
    expect(command.output).toMatch(
      /^taskq cli \d+\.\d+\.\d+ · core [\d.]+ · consumer [\d.]+ · sqlite [\d.]+ · Node [\d.]+$/m,
    );
    expect(command.output).toMatch(/workers {2}3 {3}lease 10 s {3}grace 25 s/);
    expect(command.output).toContain(`queue shop   sqlite ${project.path("jobs.db")}   no jobs waiting`);
    expect(command.output).toMatch(/^ {4}add$/m);
    expect(command.output).toMatch(/^ {4}charge {6}1 retry, priority 100, timeout 30 s$/m);
    expect(command.output).toContain("periodic (times in Europe/Paris)");
    expect(command.output).toMatch(
      /^ {4}nightly {5}0 2 \* \* \* {3}next \d{4}-\d\d-\d\d 02:00:00, in [\d.]+ (?:h|min|s|ms)$/m,
    );
    expect(command.output).toMatch(/^ {4}heartbeat {3}every 1h {3,}next /m);
    await using elsewhere = project.taskq(["run", "./queue.js"], { TZ: "Asia/Kathmandu" });
    await elsewhere.printed("running;");
    expect(elsewhere.output).toMatch(
      /^ {4}nightly {5}0 2 \* \* \* Europe\/Paris {3}next .* 0[56]:45:00, in /m,
    );
    expect(await Promise.all([command.stop(), elsewhere.stop()])).toEqual([0, 0]);
  });

  test("has no colours where it is not read on a terminal", async () => {
    await using project = await Project.with(shopFiles);
    await using command = project.taskq(["run", "./queue.js"]);
    await command.printed("running;");
    expect(await command.stop()).toBe(0);
    // oxlint-disable-next-line no-control-regex
    expect(command.output).not.toMatch(/\u001B\[/);
  });

  test("tells of jobs that wait, and leaves out the next runs with --no-periodic", async () => {
    await using project = await Project.with(shopFiles);
    {
      await using shop = openShop(project);
      await shop.enqueue(add.job({ a: 1, b: 1 }), { delay: "1h" });
    }
    await using command = project.taskq(["run", "./queue.js", "--no-periodic"]);
    await command.printed("running;");
    expect(command.output).toContain("1 scheduled");
    expect(command.output).toContain("periodic: left to other consumers");
    expect(command.output).not.toContain("next ");
    expect(await command.stop()).toBe(0);
  });
});

/** What a worker with this module makes of 2 in the queue of `typed.db`, and how it ends. */
async function timesOf2(project: Project, module: string): Promise<{ value: number; code: unknown }> {
  await using command = project.taskq(["run", module]);
  await command.printed("running;");
  await using queue = createQueue({
    storage: sqliteStorage({ path: project.path("typed.db") }),
    tasks: { times },
  });
  const result = await queue.enqueue(times.job({ value: 2 }));
  return { value: await result.wait({ timeout: "5s" }), code: await command.stop() };
}

describe("running", () => {
  test("runs jobs that another process enqueues", async () => {
    await using project = await Project.with(shopFiles);
    await using command = project.taskq(["run", "./queue.js"]);
    await command.printed("running;");
    await using shop = openShop(project);
    const result = await shop.enqueue(add.job({ a: 2, b: 3 }));
    expect(await result.wait({ timeout: "5s" })).toBe(5);
    expect(await command.stop()).toBe(0);
    expect(command.output).toContain("stopped: 1 completed");
    expect(command.errors).toBe("");
  });

  test.each([
    { what: "a .ts module in an ES module package", module: "queue.ts", manifest: ES_MODULE },
    { what: "a .ts module where package.json gives no type", module: "queue.ts", manifest: NO_TYPE },
    { what: "a .ts module in a CommonJS package", module: "queue.ts", manifest: COMMON_JS },
    { what: "a .mts module", module: "queue.mts", manifest: NO_TYPE },
    { what: "a .tsx module", module: "queue.tsx", manifest: COMMON_JS },
  ])("runs $what", async ({ module, manifest }) => {
    await using project = await Project.with({
      "package.json": manifest,
      [module]: TYPED,
      "factor.ts": FACTOR,
    });
    expect(await timesOf2(project, module)).toEqual({ value: 10, code: 0 });
  });

  test.each([
    { what: "an ES module package", manifest: ES_MODULE },
    { what: "a package that gives no type", manifest: NO_TYPE },
    { what: "a CommonJS package", manifest: COMMON_JS },
  ])("runs TypeScript that is imported over several files in $what", async ({ manifest }) => {
    await using project = await Project.with({ "package.json": manifest, ...LAYERS });
    expect(await timesOf2(project, "queue.ts")).toEqual({ value: 10, code: 0 });
  });

  test("follows the tsconfig nearest to the module, wherever it is started", async () => {
    await using project = await Project.with({ "package.json": ES_MODULE, ...PACKAGE_WITHIN });
    expect(await timesOf2(project, "jobs/queue.ts")).toEqual({ value: 10, code: 0 });
  });

  test("prints failures and retries by default, every event with --verbose, failures only with --quiet", async () => {
    const outputs = new Map<string, string>();
    for (const option of ["--no-periodic", "--verbose", "--quiet"]) {
      await using project = await Project.with(shopFiles);
      await using shop = openShop(project);
      await using command = project.taskq(["run", "./queue.js", option]);
      await (await shop.enqueue(add.job({ a: 2, b: 3 }))).wait({ timeout: "10s" });
      await (await shop.enqueue(charge.job())).wait({ timeout: "10s" }).catch(() => {});
      await command.printed(/ failed /);
      expect(await command.stop()).toBe(0);
      outputs.set(option, command.output);
    }
    const usual = outputs.get("--no-periodic") ?? "";
    expect(usual).toMatch(
      /\d\d:\d\d:\d\d {2}retrying {5}charge .* run 1: Error: the bank is closed; again at \d\d:\d\d:\d\d/,
    );
    expect(usual).toMatch(/\d\d:\d\d:\d\d {2}failed {7}charge .* after 2 runs: Error: the bank is closed/);
    expect(usual).not.toMatch(/started|completed {3}/);
    expect(usual).toContain("stopped: 1 completed, 1 failed, 1 retried");
    expect(outputs.get("--verbose")).toMatch(/started {6}add/);
    expect(outputs.get("--verbose")).toMatch(/completed {4}add .* ms/);
    const quiet = (outputs.get("--quiet") ?? "").trimEnd().split("\n");
    expect(quiet).toHaveLength(1);
    expect(quiet[0]).toMatch(/ failed .* charge /);
  });
});

/** What a consumer prints of a run of `slow` whose own consumer was killed. */
async function takenOver(delivery: "at-least-once" | "at-most-once"): Promise<string> {
  const module = SHOP.replace('task("slow",', `task("slow", { delivery: "${delivery}" },`);
  await using project = await Project.with({ "package.json": ES_MODULE, "queue.js": module });
  await using killed = project.taskq(["run", "./queue.js", "--verbose", "--lease", "300ms"]);
  await killed.printed("running;");
  const lasting = task("slow", { delivery }, async (milliseconds: number) => String(milliseconds));
  const storage = sqliteStorage({ path: project.path("jobs.db") });
  await using shop = createQueue({ name: "shop", storage, tasks: { lasting } });
  await shop.enqueue(lasting.job(60_000));
  await killed.printed(/started +slow/);
  killed.signal("SIGKILL");
  await killed.ended();
  await using other = project.taskq(["run", "./queue.js", "--verbose"]);
  await other.printed(delivery === "at-most-once" ? /failed +slow/ : /started +slow/);
  other.signal("SIGTERM");
  if (delivery === "at-least-once") {
    await other.printed("stopping: 1 job");
    other.signal("SIGTERM");
  }
  expect(await other.ended()).toBe(0);
  return other.output;
}

describe("a run whose consumer was killed", () => {
  test("is told as cut off, and its job runs again", async () => {
    const output = await takenOver("at-least-once");
    expect(output).toMatch(/interrupted {2}slow .* run 1 was cut off$[^]*started {6}slow .* run 2$/m);
    expect(output).toContain("stopped: 0 completed, 2 interrupted\n");
  });

  test("is not said to run again where its job must not run twice", async () => {
    const output = await takenOver("at-most-once");
    expect(output).toMatch(/interrupted {2}slow .* run 1 was cut off$/m);
    expect(output).toMatch(/failed {7}slow .* must not run twice$/m);
    expect(output).toContain("stopped: 0 completed, 1 failed, 1 interrupted\n");
  });
});

describe("jobs of a task that the module does not have", () => {
  const mail = task("mail", async () => {});

  test("are told of once, also where another consumer had put them aside before", async () => {
    await using project = await Project.with(shopFiles);
    const storage = sqliteStorage({ path: project.path("jobs.db") });
    await using shop = createQueue({ name: "shop", storage, tasks: { mail, add } });
    const warning =
      "warning: the queue 'shop' of this module has no task 'mail'; its jobs wait for a consumer that has it\n";
    await shop.enqueueMany([mail.job(), mail.job()]);
    for (const _ of ["first", "second"]) {
      await using command = project.taskq(["run", "./queue.js"]);
      await command.printed(warning);
      await shop.enqueue(mail.job());
      await (await shop.enqueue(add.job({ a: 1, b: 2 }))).wait({ timeout: "10s" });
      expect(await command.stop()).toBe(0);
      expect(command.output.split("warning:")).toHaveLength(2);
    }
    await using quiet = project.taskq(["run", "./queue.js", "--quiet"]);
    await (await shop.enqueue(add.job({ a: 1, b: 2 }))).wait({ timeout: "10s" });
    expect(await quiet.stop()).toBe(0);
    expect(quiet.output).toBe("");
  });
});

/** Tasks that end their process. */
const DEADLY = `
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

export const leave = task("leave", async (code) => process.exit(code));
export const slip = task("slip", async () => {
  setTimeout(() => { throw new Error("nobody caught this"); }, 10);
});
export const queue = createQueue({ storage: sqliteStorage({ path: "jobs.db" }), tasks: { leave, slip } });
`;

describe("a process that a task ends", () => {
  const leave = task("leave", async (code: number) => void code);
  const slip = task("slip", async () => {});
  const cut = "1 job was cut off, to run again once the lease is over.";
  test.each([
    ["process.exit(0)", leave.job(0), 1, `ended this process with code 0, by process.exit .*${cut}`],
    ["process.exit(7)", leave.job(7), 7, `ended this process with code 7, by process.exit .*${cut}`],
    [
      "an error behind its back",
      slip.job(),
      1,
      "ended this process with code 1[^]*Error: nobody caught this",
    ],
  ])("by %s is told of, and has not stopped as it was asked to", async (_, job, code, told) => {
    await using project = await Project.with({ "package.json": ES_MODULE, "queue.js": DEADLY });
    const storage = sqliteStorage({ path: project.path("jobs.db") });
    await using queue = createQueue({ storage, tasks: { leave, slip } });
    await queue.enqueue(job);
    await using command = project.taskq(["run", "./queue.js"]);
    expect(await command.ended()).toBe(code);
    expect(command.errors).toMatch(new RegExp(told));
  });
});

describe("several queues", () => {
  const two = `
import { createQueue, task } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
const storage = memoryStorage();
export const mail = createQueue({ name: "mail", storage, tasks: { send: task("send", async () => {}) } });
export const billing = createQueue({ name: "billing", storage, tasks: {} });
export { mail as also };
export default billing;
`;

  test("are all served, one that is exported twice once", async () => {
    await using project = await Project.with({ "queue.mjs": two });
    await using command = project.taskq(["run", "queue.mjs"]);
    await command.printed("running;");
    expect(command.output.match(/^ {2}queue \w+ {3}memory/gm)?.toSorted()).toEqual([
      "  queue billing   memory",
      "  queue mail   memory",
    ]);
    expect(await command.stop()).toBe(0);
  });

  test("--queue takes some of them, and refuses a name that is not there", async () => {
    await using project = await Project.with({ "queue.mjs": two });
    await using command = project.taskq(["run", "--queue", "mail", "queue.mjs"]);
    await command.printed("running;");
    expect(command.output).not.toContain("queue billing");
    expect(await command.stop()).toBe(0);

    await using refused = project.taskq(["run", "queue.mjs", "--queue", "post"]);
    expect(await refused.ended()).toBe(1);
    expect(refused.errors).toContain("exports no queue named 'post', but");
    expect(refused.errors).toContain("mail");
  });
});

describe("stopping", () => {
  test.each(["SIGTERM", "SIGINT"] as const)(
    "%s lets running jobs end, and says what it waits for",
    async (signal) => {
      await using project = await Project.with(shopFiles);
      await using command = project.taskq(["run", "./queue.js", "--verbose"]);
      await command.printed("running;");
      await using shop = openShop(project);
      const result = await shop.enqueue(slow.job(700));
      await command.printed(/started +slow/);
      command.signal(signal);
      await command.printed("stopping: 1 job still running, up to 25 s; press again to release it now");
      expect(await command.ended()).toBe(0);
      expect(await result.peek()).toEqual({ state: "completed", value: "done" });
      expect(command.output).toContain("stopped: 1 completed");
    },
  );

  test("a second signal gives back what still runs", async () => {
    await using project = await Project.with(shopFiles);
    await using command = project.taskq(["run", "./queue.js", "--verbose"]);
    await command.printed("running;");
    await using shop = openShop(project);
    const result = await shop.enqueue(slow.job(60_000));
    await command.printed(/started +slow/);
    command.signal("SIGINT");
    await command.printed("stopping: 1 job");
    command.signal("SIGINT");
    expect(await command.ended()).toBe(0);
    expect(command.output).toContain("releasing 1 job now");
    expect(command.output).toContain("stopped: 0 completed, 1 interrupted");
    expect(await result.state()).toBe("ready");
    expect((await result.info())?.crashes).toBe(0);
  });
});
