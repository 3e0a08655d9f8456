import { expect, test } from "vitest";
import { explanationOf } from "../../src/engine/explanation.js";
import type { ExplainCause } from "../../src/storage.js";

const at = Date.UTC(2026, 0, 1);
const gate = { holders: ["1", "2"], ahead: 2, opensAt: undefined };

test.each<[cause: ExplainCause, sentence: string]>([
  [{ code: "not-due", at }, "It is due at 2026-01-01T00:00:00.000Z."],
  [{ code: "blocked", by: ["1", "2"] }, "It waits for what comes before it: 1, 2."],
  [{ code: "locked", gate: "door", ...gate }, "The lock 'door' is held by 1, 2, and 2 more wait before it."],
  [
    { code: "locked", gate: "door", holders: [], ahead: 0, opensAt: undefined },
    "The lock 'door' is held by somebody.",
  ],
  [
    { code: "locked", gate: "unique:report", ...gate },
    "It waits until the job of its unique key 'report' is done: 1, 2.",
  ],
  [
    { code: "locked", gate: "schedule:nightly", ...gate },
    "It waits until the job before of the schedule 'nightly' is done: 1, 2.",
  ],
  [
    { code: "no-slot", gate: "slot", ...gate, ahead: 1 },
    "All runs that 'slot' allows at a time are taken, by 1, 2, and 1 more waits before it.",
  ],
  [
    { code: "limited", gate: "api", ...gate, opensAt: at },
    "The limit 'api' is used up until 2026-01-01T00:00:00.000Z, and 2 more wait before it.",
  ],
  [{ code: "limited", gate: "api", ...gate, ahead: 0 }, "The limit 'api' is used up."],
  [{ code: "paused", task: undefined }, "The queue is paused."],
  [{ code: "paused", task: "add" }, "The task 'add' is paused."],
  [
    { code: "revoked", task: "add" },
    "The task 'add' is revoked: the job will be cancelled when its turn comes.",
  ],
  [{ code: "no-consumer", task: "add" }, "No consumer that has asked for jobs knows the task 'add'."],
  [
    { code: "waiting", ahead: 2 },
    "It is ready, and 2 jobs go before it: it runs as soon as a consumer asks for jobs.",
  ],
  [
    { code: "running", owner: "host-1", since: at, leaseUntil: undefined },
    "It has been running since 2026-01-01T00:00:00.000Z, by host-1.",
  ],
  [{ code: "retrying", failures: 1, at }, "It failed once and is tried again at 2026-01-01T00:00:00.000Z."],
  [
    { code: "retrying", failures: 2, at: 1e17 },
    "It failed 2 times and is tried again at 100000000000000000 ms.",
  ],
  [{ code: "crashed", crashes: 2 }, "Its consumer died in mid-run 2 times."],
  [
    { code: "expired", at },
    "It expired at 2026-01-01T00:00:00.000Z: it will not run, and ends when its turn comes.",
  ],
  [{ code: "final", reason: undefined, cause: undefined }, "It is skipped."],
  [{ code: "final", reason: "skipped", cause: undefined }, "It is skipped."],
  [{ code: "final", reason: "group failed", cause: "7" }, "It is skipped: group failed, because of job 7."],
])("%o is told in a sentence", (cause, sentence) => {
  const fact = { id: "1", task: "add", state: "skipped", causes: [cause] } as const;
  expect(explanationOf(fact).causes.map(({ message }) => message)).toEqual([sentence]);
});
