import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { EventHub } from "../../src/engine/event-hub.js";
import type { QueueEvent } from "../../src/vocabulary/events.js";

function hub(): { hub: EventHub; complaints: unknown[] } {
  const complaints: unknown[] = [];
  const error = (fields: unknown): void => void complaints.push(fields);
  return { hub: new EventHub({ debug: silent, info: silent, warn: silent, error }), complaints };
}
const silent = (): void => {};
const event = { id: "1", task: "add", time: new Date(0) };

describe("events of this process", () => {
  test("a listener hears the events it named, with their type", () => {
    const { hub: events } = hub();
    const heard: QueueEvent[] = [];
    events.on(["enqueued", "revoked"], (one) => void heard.push(one));
    events.emit("enqueued", event);
    events.emit("expired", event);
    events.emit("revoked", event);
    expect(heard).toEqual([
      { ...event, type: "enqueued" },
      { ...event, type: "revoked" },
    ]);
  });

  test("'*' hears all, and a disposed listener none", () => {
    const { hub: events } = hub();
    const heard: string[] = [];
    const listening = events.on("*", ({ type }) => void heard.push(type));
    events.emit("expired", event);
    listening[Symbol.dispose]();
    events.emit("expired", event);
    expect(heard).toEqual(["expired"]);
    expect(events.wants("expired")).toBe(false);
  });

  test("a listener that throws, or rejects, disturbs nobody and is logged", async () => {
    const { hub: events, complaints } = hub();
    const heard: string[] = [];
    events.on("expired", () => {
      throw new Error("one");
    });
    events.on("expired", async () => Promise.reject(new Error("two")));
    // Of another realm: a promise, and no Promise.
    events.on("expired", () => runInNewContext("Promise.reject(new Error('three'))") as unknown);
    events.on("expired", () => heard.push("four"));
    events.emit("expired", event);
    await new Promise(setImmediate);
    expect(heard).toEqual(["four"]);
    expect(complaints).toHaveLength(3);
  });

  test("an unknown event is refused with the known ones", () => {
    const { hub: events } = hub();
    expect(() => events.on("done" as never, () => {})).toThrow(/expected 'enqueued' or .*got 'done'/);
  });
});
