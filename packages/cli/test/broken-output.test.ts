/** Nobody reads any more what the command prints, or there is no room for it. */
import { closeSync, existsSync, mkdirSync, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { outputTo } from "../src/dump/output.js";
import { UserError } from "../src/user-error.js";
import { ES_MODULE, SHOP } from "./modules.js";
import { Project } from "./taskq.js";

/** A file that takes nothing, as on a disk that is full. */
const FULL = "/dev/full";
const slow = task("slow", async (milliseconds: number) => String(milliseconds));

const shopFiles = { "package.json": ES_MODULE, "queue.js": SHOP };

/** The queue of the module `SHOP`, from this process. */
function openShop(project: Project, file = "jobs.db") {
  const storage = sqliteStorage({ path: project.path(file) });
  return createQueue({ name: "shop", storage, tasks: { slow } });
}

/** A job that is running, for that long. */
async function begun(shop: ReturnType<typeof openShop>, milliseconds: number) {
  const result = await shop.enqueue(slow.job(milliseconds));
  while ((await result.state()) !== "active") await new Promise((resolve) => setTimeout(resolve, 10));
  return result;
}

test("a run whose output nobody reads any more goes on, and stops as it is told to", async () => {
  await using project = await Project.with(shopFiles);
  await using command = project.taskq(["run", "./queue.js", "--verbose"]);
  await command.printed("running;");
  command.leave();
  await using shop = openShop(project);
  const first = await shop.enqueue(slow.job(10));
  expect(await first.wait({ timeout: "5s" })).toBe("done");
  const second = await begun(shop, 500);
  expect(await command.stop()).toBe(0);
  expect(await second.peek()).toEqual({ state: "completed", value: "done" });
});

test.skipIf(!existsSync(FULL))("a run goes on where there is no room for what it prints", async () => {
  await using project = await Project.with(shopFiles);
  const full = openSync(FULL, "w");
  await using command = project.taskq(["run", "./queue.js", "--verbose"], {}, full);
  closeSync(full);
  await using shop = openShop(project);
  const result = await shop.enqueue(slow.job(10));
  expect(await result.wait({ timeout: "10s" })).toBe("done");
  expect(await command.stop()).toBe(0);
  expect(command.errors).toBe("");
});

test("a move goes on to its end though nobody reads how far it is", async () => {
  await using project = await Project.with(shopFiles);
  await using shop = openShop(project);
  await using consumer = project.taskq(["run", "queue.js"]);
  await consumer.printed("running;");
  const { id } = await begun(shop, 2_500);
  await using command = project.taskq(["move", "queue.js", "sqlite:new.db"]);
  command.leave();
  expect(await command.ended()).toBe(0);
  await using moved = openShop(project, "new.db");
  expect(await moved.result(id).peek()).toEqual({ state: "completed", value: "done" });
});

test.skipIf(!existsSync(FULL))("a list that cannot be written ends, and says why", async () => {
  await using project = await Project.with(shopFiles);
  const full = openSync(FULL, "w");
  await using command = project.taskq(["quarantine", "queue.js"], {}, full);
  closeSync(full);
  expect(await command.ended()).toBe(1);
  expect(command.errors).toMatch(/^taskq: the list could not be written: ENOSPC.*\n$/);
});

test("help that nobody reads is no mistake", async () => {
  await using project = await Project.with({});
  await using command = project.taskq(["--help"]);
  command.leave();
  expect(await command.ended()).toBe(0);
});

test("a dump that cannot get its name is told as such, and discarded as far as that is possible", async () => {
  await using project = await Project.with({});
  const path = project.path("shop.ndjson");
  const output = await outputTo(path);
  await output.write("a line\n");
  mkdirSync(join(path, "in the way"), { recursive: true });
  await expect(output.finish()).rejects.toThrow(UserError);
  await expect(output.finish()).rejects.toThrow(`cannot write ${path}.part: `);
  rmSync(`${path}.part`);
  mkdirSync(`${path}.part`);
  await output.discard();
  expect(existsSync(`${path}.part`)).toBe(true);
});
