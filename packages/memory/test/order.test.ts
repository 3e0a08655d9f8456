import { expect, test } from "vitest";
import { comesBefore, isDueBefore } from "../src/order.ts";

const at = (priority: number, due: number, order: number): Parameters<typeof comesBefore>[0] => ({
  priority,
  due,
  order,
});

test("the higher priority comes first, then the earlier due, then the earlier enqueued", () => {
  const turns = [at(2, 9, 9), at(0, 1, 5), at(0, 2, 3), at(0, 2, 4), at(-3, 0, 0)];
  for (const [index, turn] of turns.entries()) {
    for (const [other, later] of turns.entries()) expect(comesBefore(turn, later)).toBe(index < other);
  }
});

test("what becomes due first does not depend on priority", () => {
  expect(isDueBefore(at(-1, 1, 2), at(5, 2, 1))).toBe(true);
  expect(isDueBefore(at(5, 2, 1), at(-1, 1, 2))).toBe(false);
  expect(isDueBefore(at(0, 1, 1), at(0, 1, 2))).toBe(true);
});
