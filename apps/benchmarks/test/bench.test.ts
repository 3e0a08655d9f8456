import { expect, it } from "vitest";
import { assertExactlyOnce, assertOnceAtMost } from "../src/scenarios/once.ts";
import { redisScenarios } from "../src/scenarios/redis-scenarios.ts";
import { allScenarios } from "../src/scenarios/scenarios.ts";
import { serverBinary } from "@taskq/redis-servers";
import { runProgram } from "./run-program.ts";

// Both at once: here nobody looks at how fast they are.
it.concurrent("the bench measures every scenario with every job run exactly once, and prints one table", async () => {
  const { code, output } = await runProgram("bench", ["--quick"]);

  expect(output).not.toMatch(/Error/);
  expect(code).toBe(0);
  const rows = allScenarios({ jobs: 1, latencies: 1 }).flatMap((scenario) => scenario.rows);
  for (const { title } of rows) expect(output).toContain(`| ${title} `);
  expect(output).not.toContain("NaN");
  const table = output.split("\n").filter((line) => line.startsWith("|"));
  expect(table).toHaveLength(rows.length + 2);
  expect(new Set(table.map((line) => line.length)).size).toBe(1);
}, 180_000);

// Each peer and each way of measuring: the whole of it takes a minute.
const ON_REDIS = ["enqueue", "pipe", "round-trip", "bytes", "due"];

it.skipIf(serverBinary() === undefined).concurrent(
  "the bench measures the peers on a Redis of its own, and prints one table",
  async () => {
    const { code, output } = await runProgram("bench", [
      "--storage",
      "redis",
      "--quick",
      "--only",
      ON_REDIS.join(","),
    ]);

    expect(output).not.toMatch(/Error|Warning/);
    expect(code).toBe(0);
    const scenarios = redisScenarios({ jobs: 1, latencies: 1 }).filter(({ name }) => ON_REDIS.includes(name));
    for (const { title } of scenarios.flatMap(({ rows }) => rows)) expect(output).toContain(`| ${title} `);
    expect(output).not.toContain("NaN");
    expect(output).toMatch(/bullmq 6\.7\.0 · bee-queue 2\.0\.0 · groupmq 1\.1\.0/);
  },
  180_000,
);

it("the bench names the storages there are when asked for another", async () => {
  const { code, output } = await runProgram("bench", ["--storage", "paper"]);

  expect(code).not.toBe(0);
  expect(output).toMatch(/--storage: expected sqlite or redis, got paper/);
});

it("the bench names the scenarios there are when asked for another", async () => {
  const { code, output } = await runProgram("bench", ["--only", "teleport"]);

  expect(code).not.toBe(0);
  expect(output).toMatch(/--only: expected some of enqueue, .*, got teleport/);
});

it("a run in which a job ran twice, not at all, or did not complete does not count", () => {
  const once = Uint8Array.of(1, 0, 1);
  expect(() => assertExactlyOnce([once, Uint8Array.of(0, 1, 0)], 3, 0)).not.toThrow();
  expect(() => assertExactlyOnce([once, Uint8Array.of(0, 1, 1)], 3, 0)).toThrow("1 ran more than once");
  expect(() => assertExactlyOnce([once], 3, 0)).toThrow("1 did not run");
  expect(() => assertExactlyOnce([Uint8Array.of(1, 1, 1)], 3, 2)).toThrow("2 have not completed");
});

it("where jobs are left over, a run counts only if those that did not run are the ones that are left", () => {
  const runs = [Uint8Array.of(1, 0, 0), Uint8Array.of(0, 1, 0)];
  expect(() => assertOnceAtMost(runs, 3, 1)).not.toThrow();
  expect(() => assertOnceAtMost(runs, 3, 0)).toThrow("1 did not run and 0 have not completed");
  expect(() => assertOnceAtMost([...runs, Uint8Array.of(1, 0, 0)], 3, 1)).toThrow("1 ran more than once");
});
