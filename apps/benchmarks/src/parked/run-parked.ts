import { join } from "node:path";
import { startRole } from "../roles/start-role.js";
import { scratchFolder } from "../scratch-folder.js";
import { median } from "../statistics.js";

export interface ParkedOptions {
  readonly parked: number;
  readonly jobs: number;
  readonly runs: number;
  readonly directory: string | undefined;
}
export interface ParkedReport {
  /** Microseconds a step of ten takes with nothing parked. */
  readonly without: number;
  /** The same behind the parked jobs. */
  readonly behind: number;
  /** Jobs that were parked. */
  readonly parked: number;
}

/** Claims with and without parked jobs by turns, each time in a fresh file and process. */
export async function runParked(options: ParkedOptions): Promise<ParkedReport> {
  const without: number[] = [];
  const behind: number[] = [];
  let parked = 0;
  for (let run = 0; run < options.runs; run += 1) {
    const order = [0, options.parked];
    for (const count of run % 2 === 0 ? order : order.toReversed()) {
      const answer = await claimBehind(count, options);
      (count === 0 ? without : behind).push(answer.stepMicroseconds);
      parked = Math.max(parked, answer.parked);
    }
  }
  return { without: median(without), behind: median(behind), parked };
}

async function claimBehind(
  parked: number,
  { jobs, directory }: ParkedOptions,
): Promise<{ stepMicroseconds: number; parked: number }> {
  using folder = scratchFolder(directory);
  const role = startRole("parked-claims", { path: join(folder.path, "queue.db"), parked, jobs });
  await role.ready;
  role.go();
  const answer = await role.answer;
  if (answer.claimed !== jobs) throw new Error(`claimed ${answer.claimed} of ${jobs} jobs`);
  if (answer.parked !== parked) throw new Error(`${answer.parked} jobs were parked, not ${parked}`);
  return answer;
}
