import { expect, test } from "vitest";
import { decimalsOfPi } from "../src/pi.js";

test("the decimals of π are those that everybody knows", () => {
  expect(decimalsOfPi(50)).toBe("14159265358979323846264338327950288419716939937510");
  expect(decimalsOfPi(5)).toBe("14159");
});

test("the six nines are where they are, and each count is the beginning of a longer one", () => {
  const thousand = decimalsOfPi(1_000);
  expect(thousand.slice(761, 767)).toBe("999999");
  expect(thousand).toHaveLength(1_000);
  expect(thousand.startsWith(decimalsOfPi(999))).toBe(true);
});
