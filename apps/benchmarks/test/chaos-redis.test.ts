import { serverBinary } from "@taskq/redis-servers";
import { describe, expect, it } from "vitest";
import { fact, runProgram } from "./run-program.ts";

const SMALL = ["--storage", "redis", "--seed", "7", "--consumers", "3"];

/** What must be 0 of a run, with gates and without. */
const NONE = [
  "lost",
  "duplicates not in flight at a kill",
  "group callbacks early",
  "group callbacks twice",
  "group callbacks missing",
  "flows with a wrong result",
  "runs that began while their gate was held",
  "not free within 1.5 leases and one pass",
  "more than a limit allows in some window",
  "whose instant nothing proves",
  "instants that made two jobs",
  "consumers that ended by themselves",
];

describe.skipIf(serverBinary() === undefined)("chaos on Redis", () => {
  it("consumers killed all the time lose and repeat nothing on Redis, and hold and exceed nothing together", async () => {
    // What is left then counts as lost: a machine with other work may need much longer than one without.
    const sizes = ["--jobs", "600", "--seconds", "2", "--early", "--quiet-seconds", "30", "--gated"];
    const { output } = await runProgram("chaos", [...SMALL, ...sizes]);

    // How much of a limit was used depends on what else the machine does; the command itself asks for that too.
    expect(NONE.filter((name) => fact(output, name) !== 0)).toEqual([]);
    expect(output).toMatch(/contradictions between keys +ok +ok/);
    expect(output).not.toMatch(/jobs by state .*VIOLATED/);
    expect(fact(output, "kills")).toBeGreaterThan(5);
    expect(fact(output, "runs in flight at a kill and repeated")).toBeGreaterThan(0);
    expect(fact(output, "starts under limits")).toBeGreaterThan(10);
    expect(fact(output, "jobs of the schedule")).toBeGreaterThan(5);
  }, 120_000);

  it("a storage on Redis that pops destructively fails the same harness with lost jobs", async () => {
    const sizes = ["--jobs", "1200", "--seconds", "1.5", "--quiet-seconds", "1", "--popping"];
    const { code, output } = await runProgram("chaos", [...SMALL, ...sizes]);

    expect(code).toBe(1);
    expect(fact(output, "lost")).toBeGreaterThan(0);
    expect(output).toMatch(/lost .* VIOLATED/);
  }, 120_000);
});

it("a storage that there is not is refused with those that there are", async () => {
  const { code, output } = await runProgram("chaos", ["--storage", "postgres"]);

  expect(code).toBe(1);
  expect(output).toContain('--storage: expected sqlite or redis, got "postgres"');
});
