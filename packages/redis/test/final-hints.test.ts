/** Who is told of jobs that became final. */
import { setTimeout as sleep } from "node:timers/promises";
import { plainJob } from "@taskq/conformance";
import { createIdMaker, type StorageContract, type WatchHint } from "@taskq/core/storage";
import { expect, test, vi } from "vitest";
import { hasTestServer, startTestServer } from "./servers/test-server.js";
import { afterTest } from "./support/closing.js";
import { connect } from "./support/store.js";

const QUEUE = "main";
const PATIENCE = 10_000;
const RETENTION = { completed: { for: 60_000, max: 1e6 }, failed: { for: 60_000, max: 1e6 } };

/** Stores a job, claims it and completes it. */
async function complete(storage: StorageContract, request: number): Promise<string> {
  const id = createIdMaker()(Date.now());
  await storage.enqueue({ queue: QUEUE, flows: [{ end: id, jobs: [plainJob(id)], joins: [] }] });
  const asked = { queue: QUEUE, owner: "owner", tasks: ["work"], begun: [] };
  const claim = { begin: 1, ahead: 0, lease: 30_000 };
  const { claimed } = await storage.step({ ...asked, request, settled: [], claim });
  const outcome = { kind: "completed", result: new Uint8Array(3) } as const;
  const settled = claimed.map(({ fence }) => ({ id, fence, startedAt: Date.now(), outcome, add: undefined }));
  await storage.step({ ...asked, request: request + 1, settled, claim: undefined });
  return id;
}

function ids(hints: readonly WatchHint[]): string[] {
  return hints.flatMap((hint) => hint.ids ?? []);
}

test.skipIf(!hasTestServer)(
  "who does not ask for it is not told of jobs that became final, here or in another process",
  { timeout: 20_000 },
  async () => {
    const server = await startTestServer();
    afterTest(() => server.stop());
    const heard = { working: [] as WatchHint[], waiting: [] as WatchHint[], elsewhere: [] as WatchHint[] };
    const [here, there] = [connect(server, server.keyPrefix), connect(server, server.keyPrefix)];
    for (const storage of [here, there]) {
      afterTest(() => storage.close());
      await storage.open({ queue: QUEUE, retention: RETENTION });
    }
    here.watch(QUEUE, (hint) => void heard.working.push(hint), { final: false });
    there.watch(QUEUE, (hint) => void heard.elsewhere.push(hint), { final: false });
    // Until both are heard: a subscription says so by itself.
    await vi.waitFor(
      () => expect(heard.working.length * heard.elsewhere.length).toBeGreaterThan(0),
      PATIENCE,
    );
    const unheard = await complete(here, 1);
    here.watch(QUEUE, (hint) => void heard.waiting.push(hint));
    await vi.waitFor(() => expect(heard.waiting).toContainEqual({ kind: "any" }), PATIENCE);
    for (const hints of Object.values(heard)) hints.length = 0;
    const [own, other] = [await complete(here, 3), await complete(there, 5)];
    await vi.waitFor(
      () => expect(ids(heard.waiting)).toEqual(expect.arrayContaining([own, other])),
      PATIENCE,
    );
    await sleep(50);
    expect(ids(heard.waiting)).not.toContain(unheard);
    for (const hints of [heard.working, heard.elsewhere]) {
      expect(new Set(hints.map(({ kind }) => kind))).toEqual(new Set(["ready"]));
    }
  },
);
