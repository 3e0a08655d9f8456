import { readdir } from "node:fs/promises";
import { expect, test } from "vitest";
import { runProgram } from "./run-program.js";

const sources = await readdir(new URL("../src", import.meta.url));
const numbered = sources.filter((name) => /^\d\d-/.test(name)).map((name) => name.replace(/\.ts$/, ""));

/** What each example prints, word for word; `…` stands for what differs from run to run. */
const printed: Readonly<Record<string, string>> = {
  "01-tasks": `
called directly: 5
refused at enqueue: the input of task 'send-email' is refused by its schema: to: Invalid email address
sent "Hello" to ada@example.org
charged plain on run 1
charged shaky on run 3
charged later on run 2
cancelled: the order is gone
failed on run 1: the card is stolen`,
  "02-periodic-tasks": `
next night: 2026-03-28T01:00:00.000Z
next night: 2026-03-29T01:00:00.000Z
next night: 2026-03-30T00:00:00.000Z
heartbeat  stands for 2026-11-22T00:00:00.000Z
nightly    stands for 2026-11-22T01:00:00.000Z
heartbeat  stands for 2026-11-22T08:00:00.000Z
and by hand:
nightly    stands for 2026-11-22T12:00:00.000Z`,
  "03-queue": `
mail: add, shaky, heartbeat
billing: add, shaky
waiting in mail: 2 - in billing: 1
shaky worked on run 3
TASKQ_OPTION: createQueue name: expected a letter or digit, then at most 63 letters, digits, '.', '_' or '-', got 'no spaces'
TASKQ_OPTION: createQueue keep completed: expected a duration such as 250, '30s' or '1.5h', got '10 minutes'
TASKQ_OPTION: createQueue: unknown option 'retries'; known are …`,
  "04-enqueue-and-results": `
wait: 5
peek, as often as you like: { state: 'completed', value: 5 } { state: 'completed', value: 5 }
not final after 50 ms; it goes on
meanwhile: active - asleep
later: scheduled
moved to now: true - 2
the same id again: false true order-42
from the id alone: 3
as completed: 100, 200, 300
failed: TypeError - this one always fails
its log: info good night {"milliseconds":400}`,
  "05-composition": `
pipeline: 15
its stages: one two three -> 3 -> 15
group: [ 3, 2, 1 ]
chord: 6
alert: fetch-page failed on run 1: 404: /nowhere
group with a failing member: the job was skipped: …
settled: 3 words, 2 words, 1 words, skipped
tidy-up: everything is fetched`,
  "06-control": `
revoked: true - cancelled
restored: true - scheduled
aborted: revoked
the next one of a revoked task: JobCancelledError
the one after: sent to bob
paused: parked
resumed: sent to eve
under the lock at a time, at most: 1
taken already: TASKQ_LOCKED
its fence has grown: true
a semaphore let through: 3
value: { percent: 10 }
set if absent: false
counted: 1 6
taken: 6 - and gone: undefined`,
  "07-schedules": `
schedule: ping (stored, 1m)
schedule: report-acme (stored, 0 8 * * 1)
next three: Monday 8 AM / Monday 8 AM / Monday 8 AM
printed: report for ACME
paused: true - resumed: true
removed: true - again: false`,
  "08-events": `
retrying after run 1: try again
middleware: flaky has run, in trace-1
handed on: trace-1
events: enqueued, started, progress, retrying, started, progress, completed
failed: broken: out of order
feed: flaky completed
feed: broken failed
counts: 1 completed, 1 failed
by task: 1 of broken failed
statistics: 1 completed, 1 failed
of flaky: 1 retried; p99 in milliseconds: number
job: broken, run 1, failed
its story: run 1 try again, run 2 worked
why: failed - final
run again by hand: true`,
  "09-storages": `
committed: 1 order, 1 job
rolled back: changed my mind
still: 1 order, 1 job
charged: for 42
kept: 1970-01-01T00:00:00.000Z true 12n
refused: TASKQ_TOO_LARGE
the connection stays yours: true`,
  "10-consumer": `
setup: before the first job
resource disposed of
answered: rows of select 1
health: running, 1 of 4 busy
resource disposed of
teardown: after the last one
after the stop: finished what it had begun
run: 5
immediate: { state: 'completed', value: 5 }
heartbeat
heartbeat
drained what is due: 2
and within two hours: 1`,
  "11-limits": `
page 1 at second 00
page 2 at second 00
the last: limited - The limit 'fetch-page' is used up until 2026-11-21T12:00:01.000Z, and 2 more wait before it.
page 3 at second 01
page 4 at second 01
page 5 at second 02
digest of acme: completed
digest of acme: skipped
digest of initech: completed
called: an answer
a third in this second: TASKQ_LIMITED`,
  "12-moving": `
at the old one: [ 'page 1', 'page 2' ]
went along: 3 completed, 2 waiting
the old consumer: TASKQ_MOVED
the old queue: TASKQ_MOVED
who waited there: TASKQ_MOVED
still to be read there: crawled example.org
what crawl enqueued: 3
another page: TASKQ_LIMITED
still scheduled: scheduled
greeting: hello
counted: 4`,
  "13-signing": `
readable in the file: true its input: false
paid: 500 to Ada
copied over another job: TASKQ_QUARANTINED
paid: 900 to Cy
TASKQ_OPTION: signedSerializer: secret: expected at least 32 bytes, got 7; 'openssl rand -base64 32' makes a good one`,
  "14-task-options": `
stored as given: { page: 'home', at: '2026-11-24' }
refused: TASKQ_INPUT
aborted by a TimeoutError: true
call needed 2 runs
parsed: home in 2026
a busy shop answered on run 2
failed: closed for ever
failed: the run took longer than its timeout of 50 ms
states: cancelled cancelled completed
the last one: indexed version 3
late: expired
of its context: trace of traced 300000 true`,
  "15-sqlite-file": `
made: nothing
in use: jobs.db jobs.db-shm jobs.db-wal
mode: 600
worked: small d.png
closed: backup.db jobs.db
in the backup: 3 ready
replaced: TASKQ_STORAGE`,
};

test("each of the ten usages has an example", () => {
  expect(numbered.toSorted()).toEqual(Object.keys(printed));
});

test.each(numbered)(
  "%s prints what it says, and ends by itself",
  async (name) => {
    const { code, output, errors } = await runProgram(name);
    expect(errors).toBe("");
    expect(output.trimEnd()).toMatch(pattern(printed[name] ?? ""));
    expect(code).toBe(0);
  },
  30_000,
);

/** Text to a pattern of all of it. */
function pattern(text: string): RegExp {
  const exact = text.trim().replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  return new RegExp(`^${exact.replaceAll("…", ".*")}$`);
}
