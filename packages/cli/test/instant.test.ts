import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { lengthOf, localTime } from "../src/instant.js";
import { styleFor } from "../src/style.js";

test.each([
  [0, "0 ms"],
  [-5, "0 ms"],
  [999, "999 ms"],
  [1_000, "1 s"],
  [9_949, "9.9 s"],
  [25_000, "25 s"],
  [90_000, "2 min"],
  [5 * 3_600_000, "5 h"],
  [3 * 86_400_000, "3 d"],
])("%d milliseconds read %s", (length, text) => {
  expect(lengthOf(length)).toBe(text);
});

test("an instant is told in the zone of this machine", () => {
  expect(localTime(new Date(2026, 10, 2, 3, 4, 5))).toBe("2026-11-02 03:04:05");
});

test.each([
  ["Europe/Paris", "Europe/Paris"],
  ["UTC+3", "UTC-03:00"],
  ["UTC-5", "UTC+05:00"],
  ["Nowhere/AtAll", "UTC"],
  ["", "UTC"],
])("in a process with TZ=%s the zone is %s", (zone, name) => {
  const instant = new URL("../dist/instant.js", import.meta.url).href;
  const program = `import { localZone } from "${instant}"; process.stdout.write(localZone());`;
  const options = { env: { ...process.env, TZ: zone }, encoding: "utf8" } as const;
  expect(execFileSync(process.execPath, ["--input-type=module", "--eval", program], options)).toBe(name);
});

test("colours are for terminals", () => {
  expect(styleFor({ isTTY: false }).red("text")).toBe("text");
  expect(styleFor({}).bold("text")).toBe("text");
});
