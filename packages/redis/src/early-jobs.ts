/** Jobs that were due when they were stored, by what was known of the server's time, and yet are to wait: its clock was set back. */
import type { NewFlow } from "@taskq/core/storage";
import type { ServerClock } from "./server-clock.js";

/** How often the server is asked for its time: what is under way may have been asked before. */
const LOOKS = 2;

export class EarlyJobs {
  readonly #clock: ServerClock;
  readonly #reschedule: (ids: readonly string[], due: number) => Promise<void>;
  #ids: string[] = [];

  /** @param reschedule makes those due at that instant which still wait */
  constructor(clock: ServerClock, reschedule: (ids: readonly string[], due: number) => Promise<void>) {
    this.#clock = clock;
    this.#reschedule = reschedule;
  }

  /** These were stored, and some are to wait. */
  saw(jobs: NewFlow["jobs"]): void {
    const now = this.#clock.now();
    const ids = jobs.filter(({ after, due }) => after === undefined && due <= now).map(({ id }) => id);
    if (ids.length === 0) return;
    const isUnderWay = this.#ids.length > 0;
    this.#ids.push(...ids);
    if (!isUnderWay) void this.#bringForward(now);
  }

  /** What fails is left: then they wait until the clock has come to their due again. */
  async #bringForward(stored: number): Promise<void> {
    for (let looks = 0; looks < LOOKS && this.#clock.now() >= stored; looks += 1)
      await this.#clock.askAgain();
    const ids = this.#ids;
    this.#ids = [];
    const now = this.#clock.now();
    if (now < stored) await this.#reschedule(ids, now).catch(() => {});
  }
}
