/** Queues that are gone from their server while this process uses them: it was started anew without what it kept, or flushed. */
import { TaskqError, type StorageRequest } from "@taskq/core/storage";
import type { OpenedPart } from "./open-part.js";

/** The server has nothing of a queue that was opened here. Users see a `TASKQ_STORAGE`, and only if opening it again fails. */
export class QueueGone extends TaskqError {
  constructor(message: string) {
    super("TASKQ_STORAGE", message);
  }
}

type OpenRequest = Omit<StorageRequest<"open">, "now">;

interface Known {
  readonly request: OpenRequest;
  /** When each partition was made, the home one first. */
  readonly made: readonly (string | undefined)[];
}

export interface Reopening {
  /** Opens it as it was. */
  readonly open: (request: OpenRequest) => Promise<readonly OpenedPart[]>;
  /** Some of it was lost: told by one process, as a rule. */
  readonly lost: (queue: string, partitions: readonly number[]) => void;
}

/** Opens queues again, each once at a time, whoever asks. */
export class OpenAgain {
  readonly #known = new Map<string, Known>();
  readonly #underWay = new Map<string, Promise<void>>();
  readonly #reopening: Reopening;

  constructor(reopening: Reopening) {
    this.#reopening = reopening;
  }

  /** It was opened by its user. */
  opened({ now: _now, ...request }: StorageRequest<"open">, parts: readonly OpenedPart[]): void {
    this.#known.set(request.queue, { request, made: parts.map(({ made }) => made) });
  }

  /** @throws `TASKQ_UNAVAILABLE` `TASKQ_STORAGE` `TASKQ_OPTION` `TASKQ_CLOSED` */
  again(queue: string): Promise<void> {
    let opening = this.#underWay.get(queue);
    if (opening === undefined) {
      opening = this.#open(queue).finally(() => this.#underWay.delete(queue));
      this.#underWay.set(queue, opening);
    }
    return opening;
  }

  async #open(queue: string): Promise<void> {
    const known = this.#known.get(queue);
    if (known === undefined) throw new TaskqError("TASKQ_STORAGE", `the queue "${queue}" is not open`);
    const parts = await this.#reopening.open(known.request);
    this.opened(known.request, parts);
    const lost = parts.flatMap(({ made }, number) =>
      made !== undefined && made !== known.made[number] ? [number] : [],
    );
    const [home] = parts;
    // Whoever has made the home partition tells of all; where that was not lost, whoever has made another one.
    const tells = lost[0] === 0 ? home?.isNew === true : parts.some(({ isNew }) => isNew);
    if (tells) this.#reopening.lost(queue, lost);
  }
}
