import { serverBinary } from "@taskq/redis-servers";
import { expect, it } from "vitest";
import { fact, runProgram } from "./run-program.ts";

it.skipIf(serverBinary() === undefined)(
  "the command breaks what it is told to break, and says what came of it",
  async () => {
    const { code, output } = await runProgram("faults", ["--only", "restarts", "--times", "1"]);

    expect(output).not.toContain("VIOLATED");
    expect(code).toBe(0);
    expect(fact(output, "times")).toBe(1);
    expect(fact(output, "jobs accepted")).toBeGreaterThan(50);
    expect(fact(output, "lost")).toBe(0);
  },
  60_000,
);

it("a fault that there is not is refused with those that there are", async () => {
  const { code, output } = await runProgram("faults", ["--only", "earthquakes"]);

  expect(code).toBe(2);
  expect(output).toMatch(/--only: expected some of connections,.*, got "earthquakes"/);
});
