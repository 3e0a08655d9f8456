import { expect, test } from "vitest";
import { runProgram } from "./programs.js";

test("beans are counted by another process, number after number, until an empty line", async () => {
  const { code, output, errors } = await runProgram("beans", [], { input: "3\nmany\n1\n\n7\n" });
  expect(errors).toBe("");
  expect(output).toContain("Counted 3 beans.");
  expect(output).toContain('Expected a whole number of beans, got "many".');
  expect(output).toContain("Counted 1 bean.");
  expect(output).not.toContain("Counted 7 beans.");
  expect(code).toBe(0);
}, 30_000);

test("the end of the input ends it too, without a line break", async () => {
  const { code, output } = await runProgram("beans", [], { input: "2" });
  expect(output).toContain("Counted 2 beans.");
  expect(code).toBe(0);
}, 30_000);

test("a server that cannot be used is told of in one line, before anything is asked", async () => {
  const { code, output, errors } = await runProgram("beans", [], { input: "2\n", redisUrl: "nowhere" });
  expect(errors).toMatch(/^beans: redisStorage url: expected a URL .* \(TASKQ_OPTION\)\n$/);
  expect([output, code]).toEqual(["", 1]);
}, 30_000);
