/** Rows by name have keys of the same kind as generated ids, and must find room among them. */
import { createIdMaker, joinId, type MovedRecord, type NewJob, type NewJoin } from "@taskq/core/storage";
import { plainJob } from "@taskq/conformance";
import { expect, test } from "vitest";
import { claim, openStorage, QUEUE, temporaryFolder } from "./support.js";

const TAGS = 2 ** 12;
const COUNTS = 2 ** 9;
const NOW = 1_800_000_000_000;

/** A job with a generated id of this millisecond, for every maker of ids that there may be. */
function jobsOfAllMakers(count: number): NewJob[] {
  return Array.from({ length: TAGS }, (_, tag) =>
    plainJob(joinId({ time: NOW, low: tag * COUNTS + count, random: tag }), { due: NOW }),
  );
}

test.each([0, 255, 256, 511])(
  "a group with an id of its own is stored beside members whose ids could be its key (number %i of their millisecond)",
  async (count) => {
    const storage = await openStorage({ path: `${temporaryFolder()}/jobs.db` });
    const jobs = jobsOfAllMakers(count);
    const join: NewJoin = { id: "all of them", named: true, mode: "all", members: jobs.map(({ id }) => id) };
    const request = { queue: QUEUE, flows: [{ end: join.id, jobs, joins: [join] }], now: NOW };
    const first = await storage.enqueue(request);
    expect(first).toMatchObject({ flows: [{ status: "stored", id: join.id, state: "ready" }] });
    const again = await storage.enqueue(request);
    expect(again).toMatchObject({ flows: [{ status: "existing", id: join.id, state: "blocked" }] });
    const records = await storage.read({ queue: QUEUE, ids: [join.id, jobs[7]?.id ?? ""], now: NOW });
    expect(records).toMatchObject([{ state: "blocked" }, { state: "ready" }]);
  },
);

test("two generated ids of one flow with the same key are a collision, and nothing is stored", async () => {
  const storage = await openStorage({ path: `${temporaryFolder()}/jobs.db` });
  const id = createIdMaker()(NOW);
  const twin = joinId({ time: NOW, low: 77, random: 1 });
  const other = joinId({ time: NOW, low: 77, random: 2 });
  const jobs = [twin, other].map((made) => plainJob(made, { due: NOW }));
  const join: NewJoin = { id, mode: "all", members: [twin, other] };
  const answer = await storage.enqueue({ queue: QUEUE, flows: [{ end: id, jobs, joins: [join] }], now: NOW });
  expect(answer).toEqual({ collision: other });
  const records = await storage.read({ queue: QUEUE, ids: [id, twin, other], now: NOW });
  expect(records).toEqual([undefined, undefined, undefined]);
});

test.each([
  { place: 2 ** 52, enqueuedAt: NOW },
  { place: -(2 ** 70), enqueuedAt: NOW },
  { place: 0.5, enqueuedAt: NOW },
  { place: Number.NaN, enqueuedAt: NOW },
  { place: -1, enqueuedAt: 0 },
  { place: 3, enqueuedAt: 2 ** 42 },
  { place: undefined, enqueuedAt: 8.64e15 },
  { place: undefined, enqueuedAt: -5 },
])(
  "a row by name that arrives with place $place of $enqueuedAt finds room, and is handed out",
  async (told) => {
    const source = await openStorage({ path: `${temporaryFolder()}/jobs.db` });
    const job: NewJob = { ...plainJob("by name", { due: 0 }), named: true };
    await source.enqueue({ queue: QUEUE, flows: [{ end: job.id, jobs: [job], joins: [] }], now: NOW });
    const { departure = "" } = await source.export({ queue: QUEUE, kind: "begin", now: NOW });
    const page = { queue: QUEUE, kind: "page", departure, cursor: undefined, now: NOW } as const;
    const { records } = await source.export({ ...page, limit: 10 });
    const target = await openStorage({ path: `${temporaryFolder()}/jobs.db` });
    const arriving = { queue: QUEUE, departure, now: NOW } as const;
    await target.import({ ...arriving, kind: "begin", epoch: 0 });
    const moved = records.map((record): MovedRecord =>
      record.kind === "job" ? { ...record, ...told } : record,
    );
    await target.import({ ...page, records: moved });
    const { arrival = "" } = await target.import({ ...arriving, kind: "seal" });
    await target.import({ ...arriving, kind: "open", arrival });
    const { enqueuedAt } = told;
    const read = await target.read({ queue: QUEUE, ids: [job.id], now: NOW });
    expect(read).toMatchObject([{ id: job.id, enqueuedAt }]);
    expect(await claim(target, 1)).toMatchObject([{ id: job.id, enqueuedAt }]);
  },
);
