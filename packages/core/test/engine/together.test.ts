import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { Together } from "../../src/engine/together.js";
import { TaskqError } from "../../src/errors.js";

test("where several are refused because of one, each is asked by itself", async () => {
  const together = new Together(true);
  const asked: (readonly string[])[] = [];
  const ask = async (ids: readonly string[]): Promise<readonly string[]> => {
    asked.push(ids);
    if (ids.includes("bad")) throw new TaskqError("TASKQ_STORAGE", "bad is damaged");
    return ids.map((id) => `told of ${id}`);
  };
  const told = await Promise.allSettled(["a", "b", "bad", "c"].map((id) => together.one("read", id, ask)));
  expect(told.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as Error).message))).toEqual(
    ["told of a", "told of b", "bad is damaged", "told of c"],
  );
  expect(asked).toEqual([["a"], ["b", "bad", "c"], ["b"], ["bad"], ["c"]]);
});

test("a storage that is away is asked no more for each of them", async () => {
  const together = new Together(true);
  let calls = 0;
  const ask = async (): Promise<never> => {
    calls += 1;
    throw new TaskqError("TASKQ_UNAVAILABLE", "away");
  };
  const told = await Promise.allSettled(["a", "b", "c"].map((id) => together.one("read", id, ask)));
  expect(told.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
  expect(calls).toBe(2);
});

test("what is asked otherwise, or about the same job, goes in a call of its own, in order", async () => {
  const together = new Together(true);
  const asked: string[] = [];
  const asking =
    (kind: string) =>
    async (ids: readonly string[]): Promise<readonly string[]> => {
      asked.push(`${kind} ${ids.join()}`);
      return ids;
    };
  const one = (kind: string, id: string): Promise<string> => together.one(kind, id, asking(kind));
  const requests = [one("x", "a"), one("x", "b"), one("x", "c"), one("y", "b"), one("y", "b"), one("x", "a")];
  expect(await Promise.all(requests)).toEqual(["a", "b", "c", "b", "b", "a"]);
  expect(asked).toEqual(["x a", "x b,c", "y b", "y b", "x a"]);
});

test("of very many, some are under way at a time, in their order, and each has its answer", async () => {
  const together = new Together(true);
  let [underWay, most] = [0, 0];
  const begun: string[] = [];
  const ask = async (ids: readonly string[]): Promise<readonly string[]> => {
    begun.push(...ids);
    underWay += 1;
    most = Math.max(most, underWay);
    await new Promise(setImmediate);
    underWay -= 1;
    return ids.map((id) => `told of ${id}`);
  };
  const ids = Array.from({ length: 2_000 }, (_, n) => `${n}`);
  // Of a kind of its own each, so that none goes with another.
  const told = await Promise.all(ids.map((id) => together.one(`restore ${id}`, id, ask)));
  expect(told).toEqual(ids.map((id) => `told of ${id}`));
  expect(begun).toEqual(ids);
  expect(most).toBe(256);
  expect(await together.one("restore", "last", ask)).toBe("told of last");
});

test("those that wait for others are told at once that the storage is away", async () => {
  const together = new Together(true);
  let calls = 0;
  const away = async (): Promise<never> => {
    calls += 1;
    await new Promise(setImmediate);
    throw new TaskqError("TASKQ_UNAVAILABLE", "away");
  };
  const asked = Array.from({ length: 1_000 }, (_, n) => together.one(`restore ${n}`, `${n}`, away));
  const told = await Promise.allSettled(asked);
  expect(new Set(told.map(({ status }) => status))).toEqual(new Set(["rejected"]));
  expect(calls).toBe(256);
  expect(await together.one("restore", "later", async (ids) => ids)).toBe("later");
});

test("those that waited for others are not kept, though some wait all the time", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const together = new Together(true);
  const [callers, calls] = [600, 500];
  let asked = 0;
  const held: number[] = [];
  const ask = async (ids: readonly string[]): Promise<readonly string[]> => {
    asked += 1;
    if (asked === 10_000 || asked === callers * calls - 10_000) {
      collect();
      held.push(process.memoryUsage().heapUsed);
    }
    await Promise.resolve();
    return ids;
  };
  // As many loops that each set and get values, one after the other.
  const loop = async (id: string): Promise<void> => {
    for (let call = 0; call < calls; call += 1) await together.one(`${id} ${call}`, id, ask);
  };
  await Promise.all(Array.from({ length: callers }, (_, n) => loop(`${n}`)));
  const [before = 0, after = 0] = held;
  expect(held).toHaveLength(2);
  expect(after - before).toBeLessThan(10_000_000);
});
