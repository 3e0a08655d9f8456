import { createQueue, task } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { advance } from "@taskq/core/testing";
import { sqliteStorage } from "@taskq/sqlite";
import { describe, expect, test } from "vitest";
import { printable } from "../src/printable.js";
import { sizeOf } from "../src/quarantine.js";
import { ES_MODULE } from "./modules.js";
import { Project } from "./taskq.js";

/** Two queues on one file; `reader.js` has the key that `queue.js` lacks. */
const MODULE = (key: string): string => `
import { createQueue, jsonSerializer, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
const json = jsonSerializer();
const serializer = {
  id: "keyed",
  encode: (value, context) => Buffer.concat([Buffer.from("${key}"), json.encode(value, context)]),
  decode(bytes, context) {
    if (bytes[0] !== "${key}".charCodeAt(0)) throw new Error("unknown key\\u001b[31m");
    return json.decode(bytes.subarray(1), context);
  },
};
const storage = sqliteStorage({ path: "jobs.db" });
export const add = task("add", async ({ a }) => a);
export const shop = createQueue({ name: "shop", storage, tasks: { add }, serializer, immediate: true });
export const post = createQueue({ name: "post", storage, tasks: { add }, serializer });
`;

/** A project with so many jobs in the quarantine of its queue `shop`, and their ids. */
async function projectWith(
  count: number,
): Promise<{ readonly project: Project; readonly ids: readonly string[] }> {
  const project = await Project.with({
    "package.json": ES_MODULE,
    "queue.js": MODULE("x"),
    "reader.js": MODULE("{").replace("bytes[0] !==", "false &&").replace("subarray(1)", "subarray(0)"),
  });
  const add = task("add", async ({ a }: { a: number }) => a);
  const storage = sqliteStorage({ path: project.path("jobs.db") });
  const writer = createQueue({ name: "shop", storage, tasks: { add } });
  const stored = await writer.enqueueMany(Array.from({ length: count }, (_, a) => add.job({ a })));
  const ids = stored.map(({ id }) => id);
  const blind = createQueue({
    name: "shop",
    storage,
    tasks: { add },
    immediate: true,
    serializer: {
      ...engineOf(writer).serializer,
      decode() {
        throw new Error("unknown key\u001b[31m");
      },
    },
  });
  await advance(blind, 1);
  await Promise.all([writer.close(), blind.close()]);
  return { project, ids };
}

async function taskq(project: Project, ...args: readonly string[]) {
  await using command = project.taskq(args);
  const code = await command.ended();
  return { code, output: command.output, errors: command.errors };
}

describe("taskq quarantine", () => {
  test("lists what is quarantined with id, task, since, size and reason, and nothing that a terminal obeys", async () => {
    const made = await projectWith(2);
    await using project = made.project;
    const { code, output, errors } = await taskq(project, "quarantine", "reader.js");
    expect({ code, errors }).toEqual({ code: 0, errors: "" });
    const lines = output.split("\n");
    expect(lines[0]).toMatch(/^queue post .*nothing quarantined$/);
    expect(lines[1]).toMatch(/^queue shop .*sqlite .*jobs\.db {3}2 quarantined$/);
    expect(lines[2]).toMatch(
      new RegExp(
        String.raw`^ {2}${made.ids[0]} {2}add {2}since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}36 B {2}TASKQ_INPUT$`,
      ),
    );
    expect(lines[3]).toContain("the job cannot be read: task, id '");
    expect(lines[3]).toContain(String.raw`unknown key\u001b[31m`);
    expect(output).not.toContain("\u001b");
    const only = await taskq(project, "quarantine", "reader.js", "--queue", "post");
    expect(only.output).not.toContain("shop");
  }, 30_000);

  test("releases one, which is put aside again where it cannot be read, and all, which run where they can", async () => {
    const made = await projectWith(3);
    await using project = made.project;
    const [first = ""] = made.ids;
    const again = await taskq(project, "quarantine", "queue.js", "--release", first);
    expect(again).toEqual({ code: 0, output: "queue shop: 1 released\n", errors: "" });
    expect((await taskq(project, "quarantine", "queue.js", "--queue", "shop")).output).toContain(
      "3 quarantined",
    );
    const all = await taskq(project, "quarantine", "reader.js", "--release", "all");
    expect(all).toEqual({ code: 0, output: "queue post: 0 released\nqueue shop: 3 released\n", errors: "" });
    expect((await taskq(project, "quarantine", "reader.js")).output).not.toContain("TASKQ_");
  }, 30_000);

  test("deletes one or all, and tells which ids are not in quarantine", async () => {
    const made = await projectWith(3);
    await using project = made.project;
    const [first = ""] = made.ids;
    const one = await taskq(project, "quarantine", "queue.js", "--delete", first, "--delete", "no\u001bne");
    expect(one).toEqual({
      code: 1,
      output: "queue shop: 1 deleted\n",
      errors:
        String.raw`taskq: no\u001bne was not deleted: no quarantined job of the queues 'post', 'shop' has this id` +
        "\n",
    });
    expect((await taskq(project, "quarantine", "queue.js", "--delete", "all")).output).toContain(
      "shop: 2 deleted",
    );
    expect((await taskq(project, "quarantine", "queue.js")).output).toMatch(/shop .*nothing quarantined/);
  }, 30_000);

  test("its help breaks lines at the width of the terminal only", async () => {
    await using project = await Project.with({});
    const { output } = await taskq(project, "quarantine", "--help");
    const [, about = ""] = output.split("\n\n").slice(1);
    expect(about.replaceAll("\n", " ")).toMatch(/^These cannot be read, .* their retention has passed\.$/);
    expect(
      about
        .split("\n")
        .slice(0, -1)
        .every((line) => line.length > 60),
    ).toBe(true);
  });

  test("refuses to release and delete at once, and options that it does not have", async () => {
    await using project = await Project.with({ "package.json": ES_MODULE, "queue.js": MODULE("x") });
    const both = await taskq(project, "quarantine", "queue.js", "--release", "all", "--delete", "all");
    expect(both.code).toBe(2);
    expect(both.errors).toContain("cannot be used with");
    expect((await taskq(project, "quarantine", "queue.js", "--purge")).code).toBe(2);
    expect((await taskq(project, "quarantine")).code).toBe(2);
  }, 30_000);
});

test("texts are printed so that no terminal obeys them", () => {
  expect(printable("a\u001b[2Jb\r\n\u202ec\u2028\u0000")).toBe(
    String.raw`a\u001b[2Jb\u000d\u000a\u202ec\u2028\u0000`,
  );
  expect(printable("é 日本 'x'")).toBe("é 日本 'x'");
});

test("sizes are told in units of 1,024", () => {
  expect([0, 1_023, 1_024, 1_572_864, 2 ** 40].map(sizeOf)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 MiB",
    "1024.0 GiB",
  ]);
});
