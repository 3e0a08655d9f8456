/**
 * The demo: this process enqueues and watches, two others run the jobs, and a SQLite file is all they share.
 *
 * `npm run demo`, or `npm run demo -- /some/folder` to count the words of another folder than this repository. With
 * `TASKQ_REDIS_URL=redis://localhost:6379 npm run demo` it is a Redis server that they share: keys of their own there,
 * which are gone afterwards.
 */
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { check, type Check } from "./checks.js";
import { Consumers } from "./consumers.js";
import { MissionControl } from "./mission-control.js";
import { opened } from "./opened.js";
import { isCounted, openQueue, type DemoQueue } from "./queue.js";
import { isFile, makeStore, type Store } from "./store.js";
import { checkAndRemove, checkCounts } from "./store-check.js";
import { grouped, printable, styled } from "./style.js";
import { tableOf } from "./table.js";
import { tutorial } from "./tutorial.js";
import { workload, type Progress, type Workload } from "./workload.js";

const REPOSITORY = fileURLToPath(new URL("../../..", import.meta.url));
const CONSUMERS = 2;
const WORKERS = 4;
/** As shells report a process that SIGINT ended. */
const INTERRUPTED = 130;

process.exitCode = await main(process.argv[2]);

async function main(argument: string | undefined): Promise<number> {
  const target = resolve(process.env["INIT_CWD"] ?? ".", argument ?? REPOSITORY);
  const isFolder = await stat(target).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isFolder) {
    process.stderr.write(`demo: expected a folder, got ${printable(target)}\n`);
    return 2;
  }
  const begun = performance.now();
  const store = await makeStore("demo");
  const queue = await opened("demo", () => openQueue(store.place));
  if (queue === undefined) {
    if (isFile) await store.remove();
    return 1;
  }
  try {
    const { checks, work } = await show(target, store, queue);
    const kept = await checkAndRemove(store);
    return summarize([...checks, ...kept], work, performance.now() - begun);
  } catch (error) {
    await store.remove();
    throw error;
  }
}

interface Shown {
  readonly checks: readonly Check[];
  readonly work: Workload;
}

async function show(target: string, store: Store, queue: DemoQueue): Promise<Shown> {
  const control = new MissionControl();
  const progress: Progress = { files: 0, words: 0 };
  const consumers = new Consumers(store.place, {
    onEvent: (source, event) => control.event(source, event),
    onCounted: (files, words) => {
      progress.files += files;
      progress.words += words;
    },
  });
  // Ctrl-C reaches the consumers by itself; this process waits for them, and tidies up.
  const interrupt = async (): Promise<void> => {
    await consumers.stop();
    await store.remove();
    process.exit(INTERRUPTED);
  };
  let ending: Promise<void> | undefined;
  const end = (): void => void (ending ??= interrupt());
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, end);
  // Nobody reads on, as after `| head`.
  process.stdout.on("error", end);

  queue.on("*", (event) => {
    if (!isCounted(event)) control.event("producer", event);
  });
  control.line(
    `${styled("bold", "taskq demo")}: ${CONSUMERS} consumer processes with ${WORKERS} workers each, ${store.kind}`,
  );
  try {
    return await shown(consumers, { target, store, queue, progress, control });
  } catch (error) {
    // By a signal, consumers that were not ready yet end as well.
    await ending;
    // Not beside what is removed under them.
    await consumers.stop();
    await queue.close();
    throw error;
  }
}

interface Stage {
  readonly target: string;
  readonly store: Store;
  readonly queue: DemoQueue;
  readonly progress: Progress;
  readonly control: MissionControl;
}

async function shown(
  consumers: Consumers,
  { target, store, queue, progress, control }: Stage,
): Promise<Shown> {
  await consumers.start(CONSUMERS, WORKERS);
  control.line(`  producer ${process.pid}, consumers ${consumers.processIds.join(" and ")}, ${store.where}`);

  const lessons = await tutorial(queue, control);
  const work = await workload(queue, target, progress, control);
  control.heading("Stopping the consumers, by SIGTERM");
  const codes = await consumers.stop();
  const left = checkCounts(await queue.counts({ by: "task" }));
  await queue.close();
  const stopped = check("consumers: exit codes after SIGTERM", "0, 0", codes.join(", "));
  return { work, checks: [...lessons, ...work.checks, left, stopped] };
}

function summarize(
  checks: readonly Check[],
  { totals, queueMs, directMs }: Workload,
  lengthMs: number,
): number {
  const wrong = checks.filter(({ ok }) => !ok).length;
  const jobs = totals.files + 1;
  const lines = [
    "",
    ...tableOf(checks),
    "",
    `  ${grouped(jobs)} jobs in ${seconds(queueMs)} s: ${grouped(Math.round((jobs / queueMs) * 1_000))} a second, ` +
      "each stored, claimed, run and settled.",
    `  The same count without a queue, one file after the other: ${seconds(directMs)} s.`,
    `  total by jobs ${totals.hash}`,
    "",
    wrong === 0
      ? styled("green", `All ${checks.length} checks hold; the demo took ${seconds(lengthMs)} s.`)
      : styled("red", `${wrong} of ${checks.length} checks do not hold.`),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
  return wrong === 0 ? 0 : 1;
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1_000).toFixed(1);
}
