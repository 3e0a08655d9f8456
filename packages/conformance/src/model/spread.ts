/** Where the jobs of a queue in several partitions lie: plain jobs everywhere, all else together. */
import type { NewFlow } from "@taskq/core/storage";

export type StoredBy = "call" | "schedule" | "run";

export class Spread {
  readonly #home = new Set<string>();
  /** Plain jobs that lie where their ids say. */
  readonly #alone = new Set<string>();

  readonly #gated = new Set<string>();

  sent(flows: readonly NewFlow[], by: StoredBy): void {
    for (const flow of flows) {
      const ids = [...flow.jobs, ...flow.joins].map(({ id }) => id);
      for (const { id, gates, unique } of flow.jobs) {
        if (gates !== undefined || unique !== undefined) this.#gated.add(id);
      }
      const isAtHome = by === "schedule" || !isPlain(flow);
      // A plain job that a run adds lies with the run.
      if (!isAtHome && by === "run") continue;
      for (const id of ids) (isAtHome ? this.#home : this.#alone).add(id);
    }
  }

  /** It is given back with gates, or with a unique key. */
  keyed(id: string): void {
    this.#gated.add(id);
  }

  /** Whether it may be met and not handed out. */
  isGated(id: string): boolean {
    return this.#gated.has(id);
  }

  /** Only what lies there may be waited for by what is stored later. */
  isAtHome(id: string): boolean {
    return this.#home.has(id);
  }

  /** An id that differs from this one in its random part only collides with it where both lie together. */
  isFoundTaken(id: string, isNewPlain: boolean): boolean {
    return (isNewPlain ? this.#alone : this.#home).has(id);
  }
}

function isPlain({ jobs, joins }: NewFlow): boolean {
  const [job] = jobs;
  if (job === undefined || jobs.length > 1 || joins.length > 0 || job.named) return false;
  return job.after === undefined && job.gates === undefined && job.unique === undefined;
}
