/** The real workload: one job for each file of a folder, and one that adds them up. */
import { check, type Check } from "./checks.js";
import { countAll } from "./file-tasks.js";
import { countDirectly, filesBelow } from "./files.js";
import type { MissionControl } from "./mission-control.js";
import type { DemoQueue } from "./queue.js";
import { grouped, printable, sizeOf } from "./style.js";
import type { Totals } from "./totals.js";

/** How often a folder is counted anew because somebody writes in it. */
const TRIES = 3;
const PROGRESS_EVERY = 100;

export interface Workload {
  readonly totals: Totals;
  readonly checks: readonly Check[];
  readonly directMs: number;
  /** From before enqueue to the result. */
  readonly queueMs: number;
}

/** Files and words that the consumers have counted so far. */
export interface Progress {
  files: number;
  words: number;
}

export async function workload(
  queue: DemoQueue,
  folder: string,
  progress: Progress,
  control: MissionControl,
): Promise<Workload> {
  control.heading(`A real workload: count the words of every file below ${printable(folder)}`);
  for (let attempt = 1; ; attempt += 1) {
    const { files, closed } = await filesBelow(folder);
    const left =
      closed === 0 ? "" : `; ${closed === 1 ? "a folder" : `${grouped(closed)} folders`} could not be opened`;
    control.line(`  ${grouped(files.length)} files: a job for each, and one that adds them up${left}`);
    const { totals, queueMs } = await countByJobs(queue, files, progress, control);
    const begun = performance.now();
    const direct = await countDirectly(files);
    const directMs = performance.now() - begun;
    const checks = compare(totals, direct);
    const agreed = checks.every(({ ok }) => ok);
    if (agreed || attempt === TRIES) return { totals, checks, directMs, queueMs };
    control.line("  the two counts differ: files are being changed meanwhile; counting again");
  }
}

async function countByJobs(
  queue: DemoQueue,
  files: readonly string[],
  progress: Progress,
  control: MissionControl,
): Promise<{ readonly totals: Totals; readonly queueMs: number }> {
  [progress.files, progress.words] = [0, 0];
  const begun = performance.now();
  const result = await queue.enqueue(countAll(files));
  const timer = setInterval(
    () => control.progress(progress.files, files.length, progress.words),
    PROGRESS_EVERY,
  );
  try {
    const totals = await result.wait({ timeout: "30m" });
    const queueMs = performance.now() - begun;
    const unreadable = totals.unreadable === 0 ? "" : `, ${grouped(totals.unreadable)} could not be read`;
    control.line(
      `  ${grouped(totals.files)} files, ${grouped(totals.words)} words, ${sizeOf(totals.bytes)}${unreadable}: ` +
        `${(queueMs / 1_000).toFixed(1)} s by jobs`,
    );
    return { totals, queueMs };
  } finally {
    clearInterval(timer);
  }
}

function compare(totals: Totals, direct: Totals): readonly Check[] {
  return [
    check("files", grouped(direct.files), grouped(totals.files)),
    check("files: binary, unreadable", pair(direct), pair(totals)),
    check("words", grouped(direct.words), grouped(totals.words)),
    check("bytes", grouped(direct.bytes), grouped(totals.bytes)),
    check("hash of all hashes", direct.hash.slice(0, 16), totals.hash.slice(0, 16)),
  ];
}

function pair({ binaries, unreadable }: Totals): string {
  return `${grouped(binaries)}, ${grouped(unreadable)}`;
}
