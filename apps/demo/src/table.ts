import { styled } from "./style.js";
import type { Check } from "./checks.js";

const HEAD = { what: "what was shown", expected: "expected", got: "got" };

/** What was shown, what was expected, what came. */
export function tableOf(checks: readonly Check[]): readonly string[] {
  const rows = [HEAD, ...checks];
  const width = (column: keyof typeof HEAD): number => Math.max(...rows.map((row) => row[column].length));
  const widths = { what: width("what"), expected: width("expected"), got: width("got") };
  const line = (row: typeof HEAD, ok: string): string =>
    `  ${row.what.padEnd(widths.what)}   ${row.expected.padEnd(widths.expected)}   ${row.got.padEnd(widths.got)}   ${ok}`;
  const rule = "─".repeat(widths.what + widths.expected + widths.got + 11);
  return [
    styled("bold", line(HEAD, "ok")),
    styled("gray", `  ${rule}`),
    ...checks.map((check) => line(check, check.ok ? styled("green", "yes") : styled("red", "NO"))),
  ];
}
