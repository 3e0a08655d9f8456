import { expect, test } from "vitest";
import { Slots, type SlotUser } from "../src/slots.js";

class Part implements SlotUser {
  granted = 0;
  slotGranted(): void {
    this.granted += 1;
  }
}

test("no more slots are taken than there are", () => {
  const slots = new Slots(3);
  const part = new Part();
  expect(slots.take(part, 2)).toBe(2);
  expect(slots.take(part, 5)).toBe(1);
  expect(slots.take(part, 1)).toBe(0);
  expect(slots.free).toBe(0);
});

test("a queue that got none is granted the next slot that is given back, and only once", () => {
  const slots = new Slots(1);
  const [busy, waiting] = [new Part(), new Part()];
  slots.take(busy, 1);
  slots.take(waiting, 1);
  expect(slots.isWantedBesides(busy)).toBe(true);
  expect(slots.isWantedBesides(waiting)).toBe(false);
  slots.give(1);
  expect(waiting.granted).toBe(1);
  expect(slots.free).toBe(0);
  slots.give(1);
  expect(waiting.granted).toBe(1);
  expect(slots.free).toBe(1);
});

test("queues that wait are granted slots in turn", () => {
  const slots = new Slots(2);
  const [busy, first, second] = [new Part(), new Part(), new Part()];
  slots.take(busy, 2);
  slots.take(first, 2);
  slots.take(second, 2);
  slots.give(2);
  expect([first.granted, second.granted]).toEqual([1, 1]);
});
