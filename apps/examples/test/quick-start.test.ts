import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { hasTestServer, startTestServer } from "@taskq/redis-servers";
import { expect, onTestFinished, test } from "vitest";
import { runProgram, type Ended } from "./run-program.js";

const COMPILED = fileURLToPath(new URL("../dist", import.meta.url));

const readme = await readFile(new URL("../../../README.md", import.meta.url), "utf8");
const blocks = [...readme.matchAll(/^```ts\n\/\/ ([^\n]*)\n(.*?)^```$/gms)].map(
  ([, heading = "", code = ""]) => ({
    file: heading.split(":")[0] ?? "",
    code,
  }),
);

test.each(["tasks.ts", "queue.ts", "worker.ts"])(
  "the README's %s is the one that runs here",
  async (file) => {
    const source = await readFile(new URL(`../src/${file}`, import.meta.url), "utf8");
    expect(blocks.find((block) => block.file === file)?.code).toBe(source);
  },
);

test("the README's producer is the one that runs here, which also prints what it gets", async () => {
  const source = await readFile(new URL("../src/anywhere-else.ts", import.meta.url), "utf8");
  const block = blocks.find(({ file }) => file === "anywhere else")?.code;
  expect(source.replace(/console\.log\((.*)\);/, "$1;")).toBe(block);
});

const BOTH = { producer: { code: 0, output: "5\n", errors: "" }, worker: [0, null] };

/** Runs the README's worker and producer from a folder of their own, until both have ended by themselves: answers how. */
async function runBoth(programs: string, cwd: string): Promise<{ producer: Ended; worker: unknown[] }> {
  const worker = spawn(process.execPath, [join(programs, "worker.js")], {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
  });
  try {
    const producer = await runProgram("anywhere-else", { cwd, programs });
    const ended = once(worker, "exit");
    worker.kill("SIGTERM");
    return { producer, worker: await ended };
  } finally {
    worker.kill("SIGKILL");
  }
}

test("the README's worker runs the job of its producer, and stops by SIGTERM; both end by themselves", async () => {
  const cwd = await mkdtemp(join(tmpdir(), "taskq-quick-start-"));
  onTestFinished(() => rm(cwd, { recursive: true, force: true }));
  expect(await runBoth(COMPILED, cwd)).toEqual(BOTH);
}, 30_000);

test.skipIf(!hasTestServer)(
  "with Redis in place of SQLite they do the same",
  async () => {
    const server = await startTestServer(["--appendonly", "yes"]);
    onTestFinished(() => server.stop());
    // where programs find the packages
    const cwd = await mkdtemp(join(COMPILED, "quick-start-"));
    onTestFinished(() => rm(cwd, { recursive: true, force: true }));
    for (const file of ["tasks.js", "worker.js", "anywhere-else.js"]) {
      await copyFile(join(COMPILED, file), join(cwd, file));
    }
    const { url, keyPrefix } = server;
    const queue = await readFile(join(COMPILED, "queue.js"), "utf8");
    const onRedis = queue
      .replace("sqliteStorage }", "redisStorage }")
      .replace("@taskq/sqlite", "@taskq/redis")
      .replace(/sqliteStorage\(.*?\)/, `redisStorage(${JSON.stringify({ url, keyPrefix })})`);
    await writeFile(join(cwd, "queue.js"), onRedis);
    expect(await runBoth(cwd, cwd)).toEqual(BOTH);
  },
  30_000,
);
