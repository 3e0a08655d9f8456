import { expect, it } from "vitest";
import { fact, runProgram } from "./run-program.ts";

const SMALL = ["--seed", "7", "--jobs", "1500", "--consumers", "3", "--seconds", "4"];
/** What is left then counts as lost: a machine with other work may need much longer than one without. */
const END = ["--early", "--quiet-seconds", "30"];

it("consumers killed all the time lose no job, repeat none without need, and every group goes on once", async () => {
  const { code, output } = await runProgram("chaos", [...SMALL, ...END]);

  expect(output).not.toContain("VIOLATED");
  expect(code).toBe(0);
  expect(fact(output, "kills")).toBeGreaterThan(10);
  expect(fact(output, "runs in flight at a kill and repeated")).toBeGreaterThan(0);
  expect(fact(output, "lost")).toBe(0);
  expect(fact(output, "duplicates not in flight at a kill")).toBe(0);
  expect(fact(output, "group callbacks early")).toBe(0);
  expect(fact(output, "group callbacks twice")).toBe(0);
  expect(fact(output, "group callbacks missing")).toBe(0);
}, 120_000);

it("with gates, limits, groups within groups and a schedule, nothing is held by two, exceeded or made twice", async () => {
  const { code, output } = await runProgram("chaos", [...SMALL, ...END, "--gated"]);

  expect(output).not.toContain("VIOLATED");
  expect(code).toBe(0);
  expect(fact(output, "runs that began while their gate was held")).toBe(0);
  expect(fact(output, "gates of dead holders")).toBeGreaterThan(0);
  expect(fact(output, "not free within 1.5 leases and one pass")).toBe(0);
  expect(fact(output, "starts under limits")).toBeGreaterThan(50);
  expect(fact(output, "more than a limit allows in some window")).toBe(0);
  expect(fact(output, "whose instant nothing proves")).toBe(0);
  expect(fact(output, "instants that made two jobs")).toBe(0);
  expect(fact(output, "jobs of the schedule")).toBeGreaterThan(10);
}, 120_000);

it("a storage that forgets the starts of limits fails the same harness, and nothing else does", async () => {
  const quick = ["--seconds", "2", "--jobs", "300"];
  const { code, output } = await runProgram("chaos", [...SMALL, ...END, ...quick, "--gated", "--unlimited"]);

  expect(code).toBe(1);
  expect(fact(output, "more than a limit allows in some window")).toBeGreaterThan(0);
  expect(output.match(/VIOLATED/g)).toHaveLength(1);
}, 120_000);

it("a storage that pops destructively fails the same harness with lost jobs", async () => {
  const { code, output } = await runProgram("chaos", [
    ...SMALL,
    "--seconds",
    "2",
    "--quiet-seconds",
    "2",
    "--popping",
  ]);

  expect(code).toBe(1);
  expect(fact(output, "lost")).toBeGreaterThan(0);
  expect(output).toMatch(/lost .* VIOLATED/);
}, 120_000);
