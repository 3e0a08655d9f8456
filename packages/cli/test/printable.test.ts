/** What others wrote, on a terminal. */
import { expect, test } from "vitest";
import { eventLine } from "../src/event-line.js";
import { mistakeOf } from "./in-process.js";
import { styleFor } from "../src/style.js";
import { Project } from "./taskq.js";

const EVIL = "\u001B[2J\u0007\u202E";
const COLUMNS = { queue: undefined, taskWidth: 3 };

test("progress of whatever a handler gives is one line, and obeyed by no terminal", () => {
  const about = { type: "progress", id: EVIL, task: EVIL, attempt: 1, time: new Date() } as const;
  for (const value of [
    { done: 10n },
    [1n, EVIL],
    new Map([[EVIL, new Set([2n])]]),
    `${EVIL}\n${EVIL}`,
    undefined,
  ]) {
    const line = eventLine({ ...about, value }, COLUMNS, styleFor({}));
    expect(line).not.toMatch(/[\p{Cc}\u202E]/u);
  }
  const line = eventLine({ ...about, value: { done: 10n } }, COLUMNS, styleFor({}));
  expect(line).toMatch(/\{ done: 10n \}$/);
});

test("what is due on another day is told with its date", () => {
  const time = new Date(2026, 10, 2, 23, 59, 0);
  const due = (at: Date): string =>
    eventLine({ type: "scheduled", id: "one", task: "add", time, at }, COLUMNS, styleFor({}));
  expect(due(new Date(2026, 10, 2, 23, 59, 30))).toMatch(/one {2}due 23:59:30$/);
  expect(due(new Date(2026, 10, 5, 23, 59, 30))).toMatch(/one {2}due 2026-11-05 23:59:30$/);
});

test("an error is told with its lines, and without what a terminal would obey", async () => {
  await using project = await Project.with({
    "queue.mjs": `throw new Error("first ${EVIL.replaceAll("\u0007", "")}\\nsecond\\tline");`,
  });
  const { code, errors } = await mistakeOf(project, ["run", "queue.mjs"]);
  expect(code).toBe(1);
  expect(errors).toContain(String.raw`first \u001b[2J\u202e` + "\nsecond\tline");
  expect(errors).not.toMatch(/(?![\n\t])[\p{Cc}\u202E]/u);
});
