import { expect, it } from "vitest";
import { fact, runProgram } from "./run-program.ts";

it("claims behind parked jobs answer every free job, and leave the parked ones parked", async () => {
  const { output } = await runProgram("parked", ["--parked", "500", "--jobs", "1000", "--runs", "1"]);

  // Only a run that claimed every free job and left every parked one is reported; how fast is the command's to say.
  expect(fact(output, "jobs parked")).toBe(500);
  expect(fact(output, "step of ten behind them, us")).toBeGreaterThan(0);
}, 60_000);
