import { expect, it } from "vitest";
import { runProgram } from "./run-program.ts";

it.each([
  ["bench", ["--help"], "Unknown option '--help'; expected some of --storage <value>, --only <value>"],
  ["idle", ["--seconds", "soon"], '--seconds: expected a number of at least 0, got "soon"'],
  ["bench", ["--only", "speed"], "--only: expected some of enqueue, bulk"],
] as const)("%s %j is refused with what was expected, and nothing begins", async (name, parameters, says) => {
  const { code, output } = await runProgram(name, parameters);

  expect(output.trimEnd()).not.toContain("\n");
  expect(output).toContain(says);
  expect(code).toBe(2);
});
