import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { runProgram } from "./run-program.js";

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

test("the README's worker runs the job of its producer, and stops by SIGTERM; both end by themselves", async () => {
  const cwd = await mkdtemp(join(tmpdir(), "taskq-quick-start-"));
  const worker = spawn(process.execPath, [fileURLToPath(new URL("../dist/worker.js", import.meta.url))], {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
  });
  try {
    const { code, output, errors } = await runProgram("anywhere-else", { cwd });
    expect({ code, output, errors }).toEqual({ code: 0, output: "5\n", errors: "" });
    const ended = once(worker, "exit");
    worker.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  } finally {
    worker.kill("SIGKILL");
    await rm(cwd, { recursive: true, force: true });
  }
}, 30_000);
