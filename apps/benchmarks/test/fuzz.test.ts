import { expect, it } from "vitest";
import { fact, runProgram } from "./run-program.ts";

it("five thousand hostile inputs are read or refused, and change no prototype", async () => {
  const { output } = await runProgram("fuzz", ["--inputs", "5000", "--seed", "7"]);

  expect(output).toContain("seed 7");
  expect(fact(output, "inputs  ")).toBe(5_000);
  // How long each takes, and what memory, is the command's to say: a busy machine is slow.
  expect(output).toMatch(/^other errors +0 +ok$/m);
  expect(output).toMatch(/^prototypes changed +0 +ok$/m);
}, 60_000);

it("an input that failed is made again by the seed and its number", async () => {
  const words = ["--inputs", "1", "--seed", "1", "--from", "2558", "--only", "list cursor and filter"];
  const [one, other] = await Promise.all([runProgram("fuzz", words), runProgram("fuzz", words)]);

  expect(withoutTimes(one.output)).toBe(withoutTimes(other.output));
  expect(fact(one.output, "inputs: list cursor and filter")).toBe(1);
}, 60_000);

function withoutTimes(output: string): string {
  return output.replaceAll(/^(?:longest|grown|seconds).*$/gm, "");
}
