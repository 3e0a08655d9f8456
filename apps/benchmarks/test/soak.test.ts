import { expect, it } from "vitest";
import { soakFacts } from "../src/soak/soak-facts.ts";
import type { SoakReport } from "../src/soak/run-soak.ts";
import { fact, runProgram } from "./run-program.ts";

it("producers and consumers on one file hear of no error and run every job exactly once", async () => {
  const small = ["--producers", "2", "--consumers", "2", "--seconds", "8", "--rate", "500"];
  const { output } = await runProgram("soak", small);

  // How late an event loop is depends on what else the machine does; the command itself asks for that too.
  expect(fact(output, "jobs stored")).toBeGreaterThan(1_000);
  expect(fact(output, "jobs run ")).toBe(fact(output, "jobs stored"));
  expect(fact(output, "jobs run more than once")).toBe(0);
  expect(fact(output, "jobs left")).toBe(0);
  expect(fact(output, "errors and warnings")).toBe(0);
  expect(fact(output, "largest WAL, MiB")).toBeLessThan(128);
  expect(output).toMatch(/integrity_check +ok/);
}, 120_000);

it("the soak names what is violated", () => {
  const report: SoakReport = {
    stored: 10,
    ran: 9,
    repeated: 1,
    unfinished: 1,
    errors: ["TASKQ_BUSY"],
    producerDelays: [150],
    consumerDelays: [20],
    ownDelay: 11,
    walBytes: 200 * 2 ** 20,
    fileBytes: 1,
    integrity: "ok",
  };
  const violated = soakFacts(report).filter(({ met }) => met === false);
  expect(violated.map(({ name }) => name)).toEqual([
    "jobs run",
    "jobs run more than once",
    "jobs left",
    "errors and warnings",
    "event-loop delay p99.9 of the producers, ms",
    "largest WAL, MiB",
  ]);
});
