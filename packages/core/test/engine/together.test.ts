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
