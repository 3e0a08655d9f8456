import { expect, it } from "vitest";
import { runProgram } from "./run-program.ts";

it("malformed messages in memory and SQLite are quarantined by a consumer, and the good ones among them done", async () => {
  const words = "--stores memory,sqlite --jobs 500 --runs 0 --work 0 --untimed --compressed";
  const { code, output } = await runProgram("hostile", words.split(" "));

  expect(output.match(/ {2}ok$/gm)?.length).toBe(8);
  expect(code).toBe(0);
}, 60_000);
