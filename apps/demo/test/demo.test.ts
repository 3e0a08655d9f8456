import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { countAll, countFile, total } from "../src/file-tasks.js";
import { filesBelow } from "../src/files.js";
import { runProgram } from "./programs.js";

const PATIENCE = 90_000;

/** Files of all kinds; what their words and bytes come to is counted by hand. */
async function someFiles(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "taskq-demo-test-"));
  const inside = join(folder, "inside", "deeper");
  await mkdir(inside, { recursive: true });
  await mkdir(join(folder, "node_modules"));
  await writeFile(join(folder, "a.txt"), "one two\nthree\n");
  await writeFile(join(folder, "empty.txt"), "");
  await writeFile(join(inside, "b.txt"), "  vier\tfünf \n");
  await writeFile(join(inside, "binary.dat"), Buffer.from([1, 0, 2, 32, 3]));
  await writeFile(join(folder, "node_modules", "left-out.txt"), "not counted");
  await symlink("nowhere", join(folder, "dangling"));
  // A name that is no UTF-8 is listed, and cannot be opened by what the listing says: unreadable, even for root.
  await writeFile(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.from([0xff])]), "unreadable");
  return folder;
}

const sha256 = (data: string | Uint8Array): string => createHash("sha256").update(data).digest("hex");

test(
  "the demo shows what it says, counts a folder as the direct count does, and ends by itself",
  async () => {
    const folder = await someFiles();
    try {
      const { code, output, errors } = await runProgram("main", [folder]);
      expect(errors).toBe("");
      expect(output).toMatch(/All \d+ checks hold/);
      expect(code).toBe(0);
      expect(output).not.toMatch(/ {3}NO$/m);

      // The total: five files, a hash over the hashes of all, in the order of their paths.
      expect(output).toMatch(/^ {2}files +5 +5 +yes$/m);
      expect(output).toMatch(/^ {2}files: binary, unreadable +1, 1 +1, 1 +yes$/m);
      expect(output).toMatch(/^ {2}words +5 +5 +yes$/m);
      expect(output).toMatch(/^ {2}bytes +33 +33 +yes$/m);
      const parts = [
        sha256("one two\nthree\n"),
        "unreadable", // bad-…
        sha256(""),
        sha256("  vier\tfünf \n"),
        sha256(Buffer.from([1, 0, 2, 32, 3])),
      ];
      expect(output).toContain(`total by jobs ${sha256(parts.join(""))}`);

      // Mission control: each event in its columns, from the process that it happened in.
      expect(output).toMatch(/^ {2}\d\d:\d\d:\d\d\.\d{3} {2}producer {4}enqueued {4}add {9}[0-9a-v]{6}$/m);
      expect(output).toMatch(/^ {2}\S+ {2}consumer [12] {2}completed {3}add {9}[0-9a-v]{6} {2}in \d+ ms$/m);
      expect(output).toMatch(/retrying +flaky +\w+ {2}run 2: 503 Service Unavailable/);
      expect(output).toMatch(/failed +count-file +\w+ {2}Error: ENOENT/);
      // oxlint-disable-next-line no-control-regex
      expect(output).not.toMatch(/\u001B/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  PATIENCE,
);

test("more files than a group may have are counted in several", async () => {
  const files = Array.from({ length: 2_500 }, (_, index) => `/no/such/file-${index}`);
  const folder = await mkdtemp(join(tmpdir(), "taskq-demo-groups-"));
  try {
    const storage = sqliteStorage({ path: join(folder, "jobs.db") });
    await using queue = createQueue({ storage, tasks: { countFile, total }, immediate: true });
    const totals = await (await queue.enqueue(countAll(files))).wait();
    expect(totals).toMatchObject({ files: 2_500, unreadable: 2_500, words: 0 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  expect(countAll(Array.from({ length: 50_000 }, String)).tasks).toEqual(["count-file", "total"]);
});

test(
  "names that a terminal would obey are told by their numbers",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "taskq-demo-names-"));
    try {
      // Listed by a name that is not its own, it cannot be opened, and is told of by that name.
      const odd = Buffer.concat([Buffer.from(`${folder}/clear\u001B[2J\nline-`), Buffer.from([0xff])]);
      await writeFile(odd, "unreadable");
      const { code, output, errors } = await runProgram("main", [folder]);
      expect([errors, code]).toEqual(["", 0]);
      expect(output).toMatch(/failed +count-file .*clear\\u001b\[2J\\u000aline-/);
      // oxlint-disable-next-line no-control-regex
      expect(output).not.toMatch(/\u001B/);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  PATIENCE,
);

test("a folder that cannot be opened is told of, and what is beside it counted", async () => {
  const folder = await mkdtemp(join(tmpdir(), "taskq-demo-closed-"));
  try {
    await mkdir(join(folder, "open"));
    await writeFile(join(folder, "open", "a.txt"), "one two");
    // Under a name that is no UTF-8 it is listed, and not found by it, also by root.
    await mkdir(Buffer.concat([Buffer.from(`${folder}/closed-`), Buffer.from([0xff])]));
    expect(await filesBelow(folder)).toEqual({ files: [join(folder, "open", "a.txt")], closed: 1 });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

test.each(["Ctrl-C", "a reader that goes away"])(
  "%s ends the demo and its consumers, and leaves nothing behind",
  async (by) => {
    const folder = await mkdtemp(join(tmpdir(), "taskq-demo-broken-off-"));
    try {
      const program = fileURLToPath(new URL("../dist/main.js", import.meta.url));
      // A group of its own, all of which a terminal's Ctrl-C reaches.
      const child = spawn(process.execPath, [program, folder], {
        stdio: "pipe",
        detached: true,
        env: { ...process.env, TMPDIR: folder, TASKQ_REDIS_URL: "" },
      });
      let errors = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
      // Its first line stands before the consumers are ready.
      await once(child.stdout, "data");
      if (by === "Ctrl-C") process.kill(-(child.pid ?? 0), "SIGINT");
      else child.stdout.destroy();
      await once(child, "close");
      expect([errors, child.exitCode]).toEqual(["", 130]);
      expect(await readdir(folder)).toEqual([]);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  30_000,
);

test("what is no folder is refused", async () => {
  const { code, errors } = await runProgram("main", ["/no/such/folder"]);
  expect(code).toBe(2);
  expect(errors).toBe("demo: expected a folder, got /no/such/folder\n");
});
