import type { Storage } from "@taskq/core";
import type { StepAnswer, StorageContract } from "@taskq/core/storage";
import { expect, it } from "vitest";
import { changedStorage } from "../src/chaos/changed-storage.ts";
import { runHostile, type HostileReport } from "../src/hostile/run-hostile.ts";
import { withStore } from "../src/hostile/stores.ts";
import { runProgram } from "./run-program.ts";

it("malformed messages in memory and SQLite are quarantined by a consumer, and the good ones among them done", async () => {
  const words = "--stores memory,sqlite --jobs 500 --runs 0 --work 0 --untimed --compressed";
  const { code, output } = await runProgram("hostile", words.split(" "));

  expect(output.match(/ {2}ok$/gm)?.length).toBe(8);
  expect(code).toBe(0);
}, 60_000);

/** Twenty good ones and as many malformed ones in memory, in a storage some of whose calls are others'. */
function runOn(change: (contract: StorageContract) => Partial<StorageContract>): Promise<HostileReport> {
  const changed = (storage: Storage): Storage => changedStorage(storage, change);
  return runHostile({
    jobs: 20,
    runs: 0,
    row: 10,
    seed: 1,
    serializer: "default",
    work: 0,
    patience: 500,
    with: (use) =>
      withStore("memory", { directory: undefined, redis: undefined }, (store) =>
        use({ ...store, storage: changed(store.storage) }),
      ),
  });
}

it("a storage that never hands out some of the messages is missed by the harness, which ends", async () => {
  const report = await runOn((contract) => {
    let kept: string | undefined;
    return {
      step: async (request): Promise<StepAnswer> => {
        const answer = await contract.step(request);
        kept ??= answer.claimed[0]?.id;
        return { ...answer, claimed: answer.claimed.filter(({ id }) => id !== kept) };
      },
    };
  });
  expect(report.completed + report.quarantined).toBe(39);
}, 60_000);

it("a storage that loses why messages are quarantined is missed by the harness", async () => {
  const report = await runOn((contract) => ({
    read: async (request) =>
      (await contract.read(request)).map((record) =>
        record?.kind === "job" ? { ...record, bytes: undefined } : record,
      ),
    list: async (request) => {
      const page = await contract.list(request);
      return { ...page, records: page.records.map((record) => ({ ...record, bytes: undefined })) };
    },
  }));
  expect([report.quarantined, report.completed, report.reasons]).toEqual([20, 20, 0]);
}, 60_000);
