/** A fresh file for each test, and short words for the calls that the tests make. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { plainJob } from "@taskq/conformance";
import {
  createIdMaker,
  type NewFlow,
  type NewJob,
  type RunReference,
  type Settlement,
  type StorageContract,
} from "@taskq/core/storage";
import { sqliteStorage, type SqliteOptions } from "@taskq/sqlite";
import { afterEach } from "vitest";

export const RETENTION = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
export const QUEUE = "main";

const makeId = createIdMaker();
const closing: (() => PromiseLike<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Runs after the test, the last one first. */
export function afterTest(close: () => PromiseLike<void> | void): void {
  closing.push(close);
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "taskq-sqlite-"));
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A storage, closed after the test. */
export function storageOf(options: SqliteOptions): StorageContract {
  const storage = sqliteStorage(options) as unknown as StorageContract;
  afterTest(() => storage.close());
  return storage;
}

export async function openStorage(options: SqliteOptions): Promise<StorageContract> {
  const storage = storageOf(options);
  await storage.open({ queue: QUEUE, retention: RETENTION });
  return storage;
}

function job(options: Partial<NewJob> = {}): NewJob {
  const now = Date.now();
  return plainJob(makeId(now), { body: new Uint8Array([1, 2, 3]), due: now, ...options });
}

export function flow(options: Partial<NewJob> = {}): NewFlow {
  const only = job(options);
  return { end: only.id, jobs: [only], joins: [] };
}

/** The error that a call rejects with. */
export async function failure(
  call: Promise<unknown>,
): Promise<{ code: string; message: string; cause: unknown }> {
  try {
    await call;
  } catch (error) {
    return error as { code: string; message: string; cause: unknown };
  }
  throw new Error("expected the call to reject");
}

/** Claims so many jobs. */
export async function claim(storage: StorageContract, request: number, count = 1) {
  const answer = await storage.step({
    queue: QUEUE,
    owner: "owner",
    request,
    tasks: ["work"],
    settled: [],
    begun: [],
    claim: { begin: count, ahead: 0, lease: 30_000 },
  });
  return answer.claimed;
}

/** That a run has completed, without a result. */
export function completed({ id, fence }: RunReference): Settlement {
  const outcome = { kind: "completed", result: undefined } as const;
  return { id, fence, startedAt: Date.now(), outcome, add: undefined, claimed: undefined };
}
