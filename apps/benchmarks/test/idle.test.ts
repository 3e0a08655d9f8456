import { expect, it } from "vitest";
import { fact, runProgram } from "./run-program.ts";

it("a consumer with nothing to do writes nothing", async () => {
  const { output } = await runProgram("idle", ["--seconds", "3"]);

  expect(output).toMatch(/files written +none/);
  // Generous, since the machine does other things too; the command itself asks for 2 %.
  expect(fact(output, "CPU, % of a core")).toBeLessThan(20);
}, 60_000);
