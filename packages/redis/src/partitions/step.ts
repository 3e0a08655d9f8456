/**
 * A step of a queue in several partitions: runs are settled where they are, then the partitions are looked at, and those
 * that have the first jobs of all are asked for them: two round trips, whatever the number of partitions.
 */
import type {
  ClaimRequest,
  JobEffect,
  RunReference,
  SettleAnswer,
  Settlement,
  StepAnswer,
  StepRequest,
} from "@taskq/core/storage";
import { unavailable } from "../connection/failure.js";
import { storeAdded } from "./added.js";
import { ClaimRound } from "./claim-round.js";
import type { DividedQueue } from "./divided-queue.js";
import { peekAt, type Peeked } from "./peeked.js";

/** A partition that was not asked for so many milliseconds is: a step purges by the way. */
const LOOKED_AFTER = 5_000;

/** What the request asks of one partition but for the claim. */
interface Piece {
  readonly settled: Settlement[];
  readonly begun: RunReference[];
  /** The places of the settlements in the request. */
  readonly places: number[];
}

export async function step(queue: DividedQueue, request: StepRequest): Promise<StepAnswer> {
  const run = new DividedStep(queue, request);
  if (request.settled.some(({ add }) => add !== undefined && add.length > 0)) await run.storeAdded();
  if (request.claim === undefined) await run.settleOnly();
  else await run.settleAndClaim(request.claim);
  return run.answer();
}

/** What the partitions have answered so far. */
export class DividedStep {
  readonly queue: DividedQueue;
  readonly request: StepRequest;
  readonly effects: JobEffect[] = [];
  readonly claimed: StepAnswer["claimed"][number][] = [];
  /** Of each partition, as it was told last. */
  readonly more: boolean[];
  readonly nextDue: (number | undefined)[];
  #unclaimed: StepAnswer["unclaimed"];
  readonly #revoked = new Map<string, RunReference>();
  readonly #settled: SettleAnswer[];
  readonly #settlements: Settlement[];
  readonly #tasks: string;
  readonly #begun = performance.now();

  constructor(queue: DividedQueue, request: StepRequest) {
    this.queue = queue;
    this.request = request;
    this.more = queue.parts.map(() => false);
    this.nextDue = queue.parts.map(() => undefined);
    this.#settlements = [...request.settled];
    this.#settled = request.settled.map(() => "lost");
    this.#tasks = `\n${request.tasks.join("\n")}\n`;
  }

  async storeAdded(): Promise<void> {
    const told = await storeAdded(this.queue, this.request);
    this.effects.push(...told.effects);
    this.#settlements.splice(0, Infinity, ...told.settled);
    for (const place of told.refused) this.#settled[place] = "refused";
  }

  async settleOnly(): Promise<void> {
    const { request, queue } = this;
    const pieces = this.#pieces();
    const asks = (number: number): boolean =>
      request.last === true || pieces.size === 0 || pieces.has(number) || this.#isOverdue(number);
    const peeks = await queue.each(async (_, number) => {
      if (!asks(number)) return this.peek(number, 0);
      await this.#settle(number, pieces.get(number));
      return undefined;
    });
    await this.#findLost();
    await queue.each(async (_, number) => {
      if (peeks[number]?.flagged === true) await this.ask(number, {});
    });
  }

  async settleAndClaim(claim: ClaimRequest): Promise<void> {
    const { queue } = this;
    const wanted = claim.ids === undefined ? claim.begin + claim.ahead : 0;
    const pieces = this.#pieces();
    const peeks = await queue.each(async (_, number) => {
      const piece = pieces.get(number);
      if (piece === undefined) return this.peek(number, wanted);
      // Sent right behind it: what the settlement makes ready is seen, if it is settled with one script.
      const wasShort = queue.queue(number).stepsAreShort;
      const [, peeked] = await Promise.all([this.#settle(number, piece), this.peek(number, wanted)]);
      return wasShort && !queue.queue(number).stepsAreShort ? this.peek(number, wanted) : peeked;
    });
    await this.#findLost();
    const idle = queue.numbers.filter((number) => !pieces.has(number) && this.#isOverdue(number));
    await new ClaimRound(this, claim, peeks, idle).run();
  }

  async peek(number: number, wanted: number): Promise<Peeked> {
    const now = this.request.now;
    const fence = this.queue.fence === 0 ? undefined : this.queue.fence;
    const peeked = await peekAt(this.queue.queue(number), { now, wanted, tasks: this.#tasks, fence });
    this.queue.fence = Math.max(this.queue.fence, peeked.fence);
    this.more[number] = peeked.count > 0;
    this.nextDue[number] = peeked.nextDue;
    return peeked;
  }

  /** One step of one partition. */
  async ask(number: number, part: Partial<StepRequest>): Promise<StepAnswer> {
    const { queue, request } = this;
    const time = performance.now();
    if (part.claim !== undefined && time - this.#begun >= queue.timeout) {
      // Nobody waits for it any more: what it claims, nobody would be handed.
      throw unavailable("step in several partitions", queue.timeout, undefined);
    }
    queue.askedAt[number] = time;
    const { owner, tasks, now } = request;
    const own = { settled: [], begun: [], claim: undefined, request: request.request };
    const answer = await queue.part(number).step({ ...own, queue: queue.name, owner, tasks, now, ...part });
    this.effects.push(...answer.effects);
    for (const claimed of answer.claimed) queue.fence = Math.max(queue.fence, claimed.fence);
    this.more[number] = answer.more;
    this.nextDue[number] = answer.nextDue;
    this.#unclaimed ??= answer.unclaimed;
    for (const run of answer.revoked) this.#revoked.set(`${run.id} ${run.fence}`, run);
    return answer;
  }

  answer(): StepAnswer {
    const dues = this.nextDue.filter((due) => due !== undefined);
    return {
      settled: this.#settled,
      claimed: this.claimed,
      more: this.more.includes(true),
      unclaimed: this.#unclaimed,
      nextDue: dues.length === 0 ? undefined : Math.min(...dues),
      revoked: [...this.#revoked.values()],
      effects: this.effects,
    };
  }

  #pieces(): ReadonlyMap<number, Piece> {
    const pieces = new Map<number, Piece>();
    const pieceAt = (number: number): Piece => {
      const piece = pieces.get(number) ?? { settled: [], begun: [], places: [] };
      pieces.set(number, piece);
      return piece;
    };
    for (const [place, settlement] of this.#settlements.entries()) {
      if (this.#settled[place] === "refused") continue;
      const piece = pieceAt(this.queue.guess(settlement.id));
      piece.settled.push(settlement);
      piece.places.push(place);
    }
    for (const run of this.request.begun) pieceAt(this.queue.guess(run.id)).begun.push(run);
    return pieces;
  }

  async #settle(number: number, piece: Piece | undefined): Promise<void> {
    const { settled = [], begun = [], places = [] } = piece ?? {};
    const answer = await this.ask(number, { settled, begun, last: this.request.last });
    for (const [at, place] of places.entries()) this.#settled[place] = answer.settled[at] ?? "lost";
  }

  /** Runs that this process has not claimed may be where their ids do not say. */
  async #findLost(): Promise<void> {
    const { queue } = this;
    const places: number[] = [];
    for (const [place, settlement] of this.#settlements.entries()) {
      if (this.#settled[place] === "lost" && !queue.isStray(settlement.id)) places.push(place);
      queue.forget(settlement);
    }
    if (places.length === 0) return;
    const lost = places.map((place) => this.#settlements[place] as Settlement);
    const found = await queue.find(
      lost.map(({ id }) => id),
      { now: this.request.now },
    );
    for (const number of queue.numbers) {
      const here = places.filter((_, at) => {
        const partition = found[at]?.partition;
        return partition === number && partition !== queue.guess(lost[at]?.id ?? "");
      });
      if (here.length === 0) continue;
      const settled = here.map((place) => this.#settlements[place] as Settlement);
      await this.#settle(number, { settled, begun: [], places: here });
    }
  }

  #isOverdue(number: number): boolean {
    const last = this.queue.askedAt[number] ?? 0;
    const part = this.queue.queue(number);
    return performance.now() - last >= LOOKED_AFTER || part.stats.isDue(this.request.now ?? part.now());
  }
}
