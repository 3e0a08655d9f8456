/** Messages that are larger than half a page of the file: they stand apart from their rows. */
import { join } from "node:path";
import { createQueue, moveQueue, task, type Queue } from "@taskq/core";
import { engineOf, InlineRunner } from "@taskq/core/engine";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { sqliteStorage } from "../../src/index.js";
import { afterTest, temporaryFolder } from "../support.js";

interface Order {
  readonly tenant: string;
  readonly text: string;
}

const ran: string[] = [];
const work = task("work", async ({ text }: Order) => {
  ran.push(text);
  return text.length;
});
const make = task("make", async (tenant: string) => ({ tenant }));
const keyed = task("keyed", { lock: { key: ({ tenant }: Order) => tenant } }, async ({ text }: Order) => {
  ran.push(text);
});
const tasks = { work, make, keyed };
/** Around the length from which a body stands apart. */
const LENGTHS = [0, 1_900, 2_000, 2_100, 4_000, 5_000, 300_000];

function openQueue(path: string) {
  const queue = createQueue({ storage: sqliteStorage({ path }), tasks });
  afterTest(() => queue.close());
  return queue;
}

const textOf = (length: number): string => `é${"x".repeat(length)}`;
const orders = (lengths: readonly number[]) =>
  lengths.map((length) => work.job({ tenant: "a", text: textOf(length) }));
const run = (queue: Queue): Promise<unknown> => new InlineRunner(engineOf(queue)).runDue();

/** What the file holds apart. */
function apartIn(path: string): readonly number[] {
  const file = new Database(path, { readonly: true });
  try {
    const lengths = file.prepare("SELECT length(body) FROM taskq_bodies ORDER BY length(body)").pluck();
    return lengths.all() as number[];
  } finally {
    file.close();
  }
}

test("jobs with large messages run, one by one and many at a time, as they were enqueued", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const queue = openQueue(path);
  ran.length = 0;
  for (const job of orders(LENGTHS)) await queue.enqueue(job);
  await queue.enqueueMany(orders([...LENGTHS, ...LENGTHS]));
  await queue.enqueue(orders([9_000])[0]!, { id: "named", delay: 1 });
  await queue.enqueue(make.job("b").pipe(keyed, { text: textOf(8_000) }));
  expect(apartIn(path).length).toBeGreaterThan(3 * 4);

  await new Promise((resolve) => setTimeout(resolve, 5));
  await run(queue);

  const expected = [...LENGTHS, ...LENGTHS, ...LENGTHS, 9_000, 8_000].map(textOf);
  expect(ran.toSorted()).toEqual(expected.toSorted());
  expect((await queue.counts()).completed).toBe(expected.length + 1);
});

test("one claim of many hands over large messages between small ones", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const queue = openQueue(path);
  const lengths = Array.from({ length: 20 }, (_, at) => LENGTHS[at % LENGTHS.length] ?? 0);
  await queue.enqueueMany(orders(lengths));
  const { claimed } = await engineOf(queue).storage.step({
    queue: queue.name,
    owner: "owner",
    request: 1,
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: 3, ahead: 17, lease: 30_000 },
  });
  const told = claimed.map(({ body }) => JSON.parse(Buffer.from(body).toString()) as { input: Order });
  expect(told.map(({ input }) => input.text.length - 1)).toEqual(lengths);
});

test("a large message that nobody can read is put aside, and told of as it is", async () => {
  const path = join(temporaryFolder(), "jobs.db");
  const queue = openQueue(path);
  const { id } = await queue.enqueue(orders([50_000])[0]!);
  const file = new Database(path);
  file.prepare("UPDATE taskq_bodies SET body = ?").run(Buffer.alloc(60_000, "{"));
  file.close();
  await run(queue);
  const info = await queue.job(id);
  expect(info?.state).toBe("quarantined");
  expect(info?.quarantine?.bytes).toEqual(new Uint8Array(60_000).fill(0x7b));
});

test("what stands apart moves along, and goes with its job", async () => {
  const folder = temporaryFolder();
  const [from, to] = [join(folder, "from.db"), join(folder, "to.db")];
  const [source, target] = [openQueue(from), openQueue(to)];
  await source.enqueueMany(orders(LENGTHS));
  await source.enqueue(orders([7_000])[0]!, { id: "named" });
  const apart = apartIn(from);
  expect(apart.length).toBe(6);

  await moveQueue(source, target);
  expect(apartIn(to)).toEqual(apart);
  ran.length = 0;
  await run(target);
  expect(ran.toSorted()).toEqual([...LENGTHS, 7_000].map(textOf).toSorted());
  expect(apartIn(to)).toEqual(apart);
  await target.flush({ confirm: target.name });
  expect(apartIn(to)).toEqual([]);
});
