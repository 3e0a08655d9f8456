/** What the scripts `add` and `addMixed` are given, read back; and what they are not. */
import { plainJob } from "@taskq/conformance";
import { createIdMaker, type NewFlow, type NewJob, type NewJoin } from "@taskq/core/storage";
import { expect, test } from "vitest";
import { alone } from "./support/spread.js";
import { pack } from "../src/wire/pack.js";
import { goesShort, shortRequest } from "../src/wire/short-request.js";
import { unpack, unpackAll } from "../src/wire/unpack.js";

const makeId = createIdMaker();
const NOW = 1_763_740_000_000;
/** Bytes before the first value of the list: of one job, and of several. */
const heads = (jobs: number): number => (jobs === 1 ? 1 : 5);
/** The place of the body behind the task in a row. */
const BODY = 17;

function jobOf(options: Partial<NewJob> = {}): NewJob {
  return plainJob(makeId(NOW), { due: NOW, body: new Uint8Array(100).fill(200), ...options });
}

function read(bytes: Buffer, jobs: number): readonly unknown[] {
  const values = bytes.subarray(heads(jobs));
  // One value at a time is read as bytes.
  return unpackAll(values, -1).map((_, place) => unpackAll(values, place)[place]);
}

function rowOf(value: unknown): readonly unknown[] {
  return unpackAll(Buffer.from(value as Uint8Array), BODY);
}

function expectedRow({ id, task, body, priority }: NewJob): readonly unknown[] {
  const isApart = body.length > 512;
  const left = [0, 0, 0, 0, 0, ...Array.from({ length: 7 }, () => undefined)];
  const size = isApart ? body.length : undefined;
  return [
    task,
    undefined,
    ...left,
    size,
    id.slice(14),
    priority,
    isApart ? undefined : new Uint8Array(body),
    undefined,
  ];
}

function checked(jobs: readonly NewJob[]): readonly unknown[] {
  const request = shortRequest(jobs.map(alone));
  const values = read(request?.jobs ?? Buffer.alloc(0), jobs.length);
  const found: unknown[] = [];
  for (let at = 0; at < values.length;) {
    const [priority, due, alike] = values.slice(at, at + 3) as [number, number, number];
    found.push([priority, due, alike]);
    for (let place = at + 3; place < at + 3 + alike * 2; place += 2) {
      const job = jobs[found.filter((one) => typeof one === "string").length] as NewJob;
      const key = String(Buffer.from(values[place] as Uint8Array));
      expect([job.priority, job.due]).toEqual([priority, due]);
      expect(key).toBe(job.id.slice(0, 14));
      expect(rowOf(values[place + 1])).toEqual(expectedRow(job));
      found.push(key);
    }
    at += 3 + alike * 2;
  }
  expect(found.filter((one) => typeof one === "string")).toHaveLength(jobs.length);
  return found.filter((one) => typeof one !== "string");
}

test("a job alone is a list of five values, by which the script knows it", () => {
  for (const size of [0, 31, 32, 255, 256, 512, 513, 70_000]) {
    const job = jobOf({ body: new Uint8Array(size).fill(size % 251), task: `task of ${size}` });
    const request = shortRequest([alone(job)]);
    expect(request?.jobs[0]).toBe(0x95);
    checked([job]);
    const apart = size > 512 ? pack([`b:${job.id.slice(0, 14)}`, job.body]) : Buffer.alloc(0);
    expect(request?.bodies).toEqual(apart);
  }
});

test("jobs that are alike are a run, whatever comes before and behind them", () => {
  const kinds = [0, 0, 1, 1, 1, -1, 127, 128, 128, 2 ** 31 - 1].map((priority) => jobOf({ priority }));
  const later = [jobOf({ due: NOW + 1 }), jobOf({ due: NOW + 1 }), jobOf()];
  expect(checked([...kinds, ...later])).toEqual([
    [0, NOW, 2],
    [1, NOW, 3],
    [-1, NOW, 1],
    [127, NOW, 1],
    [128, NOW, 2],
    [2 ** 31 - 1, NOW, 1],
    [0, NOW + 1, 2],
    [0, NOW, 1],
  ]);
});

test("more than there is room for at first, of several tasks and in any order, is written whole", () => {
  const jobs = Array.from({ length: 120 }, (_, n) =>
    jobOf({ body: new Uint8Array(n * 4).fill(n), task: `täsk ${n % 3}` }),
  );
  expect(checked(jobs)).toEqual([[0, NOW, 120]]);
  expect(checked(jobs.toReversed())).toEqual([[0, NOW, 120]]);
});

test("what few jobs have stands in their rows, and in no others", () => {
  const jobs = [jobOf(), jobOf({ expiresAt: NOW + 9, delivery: "at-most-once" }), jobOf()];
  const values = read(shortRequest(jobs.map(alone))?.jobs ?? Buffer.alloc(0), 3);
  const seldom = [4, 6, 8].map((place) => rowOf(values[place])[1]);
  expect(seldom).toEqual([undefined, unpack(pack([1, NOW + 9, 2, true])), undefined]);
});

test("ids that core did not make, and keys that are there twice, go another way", () => {
  const [one, other] = [jobOf(), jobOf()];
  const twin = { ...one, id: `${one.id.slice(0, 14)}vvvvvvvv` };
  const foreign = ["", "x", `z${one.id.slice(1)}`, `${one.id.slice(0, 21)}İ`, `4${one.id.slice(1)}`].map(
    (id) => ({ ...one, id }),
  );
  for (const job of foreign) expect(shortRequest([one, job, other].map(alone))).toBeUndefined();
  for (const job of foreign) expect(shortRequest([alone(job)])).toBeUndefined();
  expect(shortRequest([one, twin].map(alone))).toBeUndefined();
  expect(shortRequest([one, other, twin].map(alone))).toBeUndefined();
  expect(shortRequest([])).toBeUndefined();
  expect(shortRequest([other, one].map(alone))).toBeDefined();
});

const after = (source: string): NewJob["after"] => [{ source, on: "completed" }];
const chain = (...jobs: readonly NewJob[]): NewFlow => ({ end: jobs.at(-1)?.id ?? "", jobs, joins: [] });
const group = (id: string, ...members: readonly string[]): NewJoin => ({ id, mode: "all", members });

test("what may mean something that is there already, or takes its place, goes another way", () => {
  const [one, two, three] = [jobOf(), jobOf(), jobOf()];
  const unique = { key: "key", until: "final", onConflict: "ignore" } as const;
  const whole = chain(one, { ...two, after: after(one.id) });
  const grouped: NewFlow = { end: three.id, jobs: [one, two], joins: [group(three.id, one.id, two.id)] };
  for (const flow of [
    alone({ ...one, named: true, id: "order 1" }),
    alone({ ...one, unique }),
    whole,
    grouped,
  ]) {
    expect(goesShort(flow)).toBe(true);
    expect(shortRequest([flow])?.mixed).toHaveLength(3);
  }
  const others: readonly NewFlow[] = [
    alone({ ...one, named: true }),
    alone({ ...one, unique: { ...unique, onConflict: "replace" } }),
    alone({ ...one, after: [] }),
    alone({ ...one, after: after(two.id) }),
    chain(one, { ...two, after: after(three.id) }),
    chain({ ...one, after: after(two.id) }, { ...two, after: after(one.id) }),
    chain(one, { ...two, after: [] }),
    chain({ ...one, unique }, { ...two, after: after(one.id) }),
    chain({ ...one, named: true, id: "order 1" }, { ...two, after: after("order 1") }),
    chain(one, { ...one, after: after(one.id) }),
    { ...grouped, joins: [group(three.id)] },
    { ...grouped, joins: [group("a group", one.id)] },
    { ...grouped, joins: [{ ...group(three.id, one.id), named: true }] },
    { ...grouped, joins: [group(three.id, jobOf().id)] },
  ];
  for (const flow of others) {
    expect(goesShort(flow)).toBe(false);
    expect(shortRequest([alone(jobOf()), flow])).toBeUndefined();
  }
  const twin = { ...two, id: `${one.id.slice(0, 14)}vvvvvvvv`, after: after(one.id) };
  expect(shortRequest([chain(one, twin)])).toBeUndefined();
});
