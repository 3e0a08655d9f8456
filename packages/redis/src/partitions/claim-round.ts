/** The claim of one step: which partitions are asked, for how many, and what a repeat of it answers. */
import { CALL_BYTES, type ClaimedJob, type ClaimRequest } from "@taskq/core/storage";
import type { ClaimCall, LastClaim } from "./divided-queue.js";
import { isCode } from "./is-code.js";
import { raiseFence, sharesOf, type Peeked, type Share } from "./peeked.js";
import { HOME } from "./place.js";
import type { DividedStep } from "./step.js";

/** Requests of one owner to one partition within one step: what is to be done first, and so many claims. */
const REQUESTS = 8;
const CLAIMS = REQUESTS - 1;

interface Claimed {
  readonly share: Share;
  /** How many jobs. */
  readonly claimed: number;
}

export class ClaimRound {
  readonly #step: DividedStep;
  readonly #claim: ClaimRequest;
  #peeks: Peeked[];
  readonly #idle: readonly number[];
  readonly #last: LastClaim;

  /** @param idle partitions that are to be asked, whatever they have */
  constructor(step: DividedStep, claim: ClaimRequest, peeks: Peeked[], idle: readonly number[]) {
    this.#step = step;
    this.#claim = claim;
    this.#peeks = peeks;
    this.#idle = idle;
    this.#last = { request: step.request.request, claimed: [], unanswered: new Set() };
  }

  async run(): Promise<void> {
    const { queue, request } = this.#step;
    const last = queue.lastClaim(request.owner);
    if (last !== undefined && request.request <= last.request) await this.#repeat(last);
    else {
      queue.rememberClaim(request.owner, this.#last);
      await this.#claimAnew();
    }
    // What others have handed out is to be run: the next step is told.
    if (this.#moved !== undefined && this.#step.claimed.length === 0) throw this.#moved;
    for (const run of this.#step.claimed) {
      const partition = this.#partitions.get(run.id);
      if (partition !== undefined) queue.remember(run, partition);
    }
  }

  readonly #partitions = new Map<string, number>();
  /** What a partition has refused with that is leaving: the home partition begins, while others still hand out. */
  #moved: unknown;

  async #claimAnew(): Promise<void> {
    const step = this.#step;
    const { begin, ahead, ids } = this.#claim;
    if (this.#peeks[HOME]?.phase !== "open" && begin + ahead > 0) {
      // It says that it has moved.
      await this.#claimAt({ partition: HOME, begin, ahead }, 0);
      if (this.#moved !== undefined) return;
    }
    await this.#prepare();
    if (ids === undefined) await this.#claimFirst();
    else await this.#claimIds(ids);
    step.claimed.push(...this.#last.claimed.toSorted(byTurn));
  }

  /** Jobs that wait for something which has come are made ready; owners are told of runs that were revoked. */
  async #prepare(): Promise<void> {
    const step = this.#step;
    const claim = { begin: 0, ahead: 0, lease: this.#claim.lease };
    await step.queue.each(async (_, number) => {
      const peeked = this.#peeks[number];
      if (peeked?.needs === true) {
        await step.ask(number, { claim, request: this.#number(0) });
        this.#peeks[number] = await step.peek(number, this.#missing);
      } else if (peeked?.flagged === true || this.#idle.includes(number)) await step.ask(number, {});
    });
  }

  async #claimFirst(): Promise<void> {
    const step = this.#step;
    // Those that had less to hand out than was seen: the rest of it may not be claimed now, or may not be claimed ahead.
    const short = new Set<number>();
    const shortAhead = new Set<number>();
    for (let round = 1; round <= CLAIMS; round += 1) {
      const begin = Math.max(0, this.#claim.begin - this.#begun);
      // What may only begin goes first where something is still to begin.
      const isBeginning = begin > 0 && shortAhead.size > 0;
      const ahead = isBeginning ? 0 : this.#missing - begin;
      const shares = sharesOf(this.#peeks, { begin, ahead });
      if (shares.length === 0) return;
      const found = await this.#claimShares(shares, round);
      for (const { share, claimed } of found) {
        (claimed < share.begin ? short : shortAhead).add(share.partition);
      }
      if ((found.length === 0 && !isBeginning) || this.#missing <= 0 || this.#moved !== undefined) return;
      // One of them has more of the first jobs, which come with the next step: others are not to be asked for what comes behind.
      if (found.length > 0 && this.#bytes >= CALL_BYTES) return;
      const begins = this.#begun < this.#claim.begin;
      this.#peeks = await step.queue.each(async (_, number) => {
        const peeked = this.#peeks[number] as Peeked;
        const isShort = short.has(number) || (!begins && shortAhead.has(number));
        return isShort ? { ...peeked, count: 0 } : step.peek(number, this.#missing);
      });
    }
  }

  /** Answers the shares of which less was handed out, and how much. */
  async #claimShares(shares: readonly Share[], round: number): Promise<readonly Claimed[]> {
    const short: Claimed[] = [];
    const claim = async (share: Share): Promise<void> => {
      const claimed = await this.#claimHeeding(share, round);
      if (claimed < share.begin + share.ahead) short.push({ share, claimed });
    };
    if (this.#isRevokedOnce) {
      for (const share of shares) await claim(share);
      return short;
    }
    const calls = await Promise.allSettled(shares.map(claim));
    for (const call of calls) if (call.status === "rejected") throw call.reason;
    return short;
  }

  /** Whether any task is. */
  get #isRevokedOnce(): boolean {
    return (this.#peeks[HOME]?.once ?? []).length > 0;
  }

  async #claimHeeding(share: Share, round: number, ids?: readonly string[]): Promise<number> {
    if (this.#isRevokedOnce) return this.#claimWithRevocations(share, round, ids);
    return this.#claimAt(share, round, ids);
  }

  /**
   * That a task is revoked once is kept at home, and lent to the partition that claims: whoever takes it from home is the
   * only one who has it, so that one job is skipped and no more.
   */
  async #claimWithRevocations(share: Share, round: number, ids?: readonly string[]): Promise<number> {
    const { queue, request } = this.#step;
    const about = { queue: queue.name, now: request.now };
    const restore = { kind: "restore" } as const;
    const part = queue.part(share.partition);
    const lent = [];
    for (const { task, until } of share.partition === HOME ? [] : (this.#peeks[HOME]?.once ?? [])) {
      const change = { kind: "revoke", once: true, until } as const;
      if (!(await queue.home.control({ ...about, task, change: restore })).changed) continue;
      await part.control({ ...about, task, change });
      lent.push({ task, change });
    }
    const claimed = await this.#claimAt(share, round, ids);
    for (const { task, change } of lent) {
      const { changed } = await part.control({ ...about, task, change: restore });
      if (changed) await queue.home.control({ ...about, task, change });
    }
    return claimed;
  }

  async #claimIds(ids: readonly string[]): Promise<void> {
    const { queue, request } = this.#step;
    const groups = await queue.located(ids, request.now);
    for (const number of queue.numbers) {
      const own = groups.get(number);
      if (own === undefined || this.#missing <= 0) continue;
      const begin = Math.max(0, this.#claim.begin - this.#begun);
      await this.#claimHeeding({ partition: number, begin, ahead: this.#missing - begin }, 1, own);
    }
  }

  /** Answers how many it was handed. */
  async #claimAt(
    { partition, begin, ahead }: Share,
    round: number,
    ids?: readonly string[],
  ): Promise<number> {
    const { queue } = this.#step;
    const highest = Math.max(...this.#peeks.map(({ fence }) => fence), ...this.#fences);
    // Sent right before it, on the same connection.
    const raised: Promise<void> | undefined =
      highest > (this.#peeks[partition]?.fence ?? 0)
        ? raiseFence(queue.queue(partition), highest)
        : undefined;
    const claim = { begin, ahead, lease: this.#claim.lease, ids };
    const call = { partition, request: { claim, request: this.#number(round) } };
    const [claimed] = await Promise.all([this.#send(this.#last, call), raised]);
    return claimed;
  }

  get #fences(): readonly number[] {
    return this.#last.claimed.map(({ fence }) => fence);
  }

  async #send(last: LastClaim, call: ClaimCall): Promise<number> {
    last.unanswered.add(call);
    const claimed = await this.#claimedBy(call);
    if (claimed === undefined) return 0;
    last.unanswered.delete(call);
    // The same call may be under way twice.
    const known = new Set(last.claimed.map(({ fence, id }) => `${id} ${fence}`));
    last.claimed.push(...claimed.filter(({ fence, id }) => !known.has(`${id} ${fence}`)));
    for (const { id } of claimed) this.#partitions.set(id, call.partition);
    return claimed.length;
  }

  /** Nothing from one that is leaving: a repeat is told so too. */
  async #claimedBy({ partition, request }: ClaimCall): Promise<readonly ClaimedJob[] | undefined> {
    try {
      return (await this.#step.ask(partition, request)).claimed;
    } catch (error) {
      if (!isCode(error, "TASKQ_MOVED")) throw error;
      this.#moved = error;
      return undefined;
    }
  }

  /** What it was handed and still has; calls that were not answered are made again, word for word. */
  async #repeat(last: LastClaim): Promise<void> {
    const step = this.#step;
    const { queue, request } = step;
    if (request.request < last.request) return;
    for (const call of last.unanswered) await this.#send(last, call);
    const found = await queue.find(
      last.claimed.map(({ id }) => id),
      { now: request.now },
    );
    const own = last.claimed.filter(({ fence }, place) => {
      const record = found[place]?.record;
      return record?.kind === "job" && record.state === "active" && record.fence === fence;
    });
    for (const [place, { id }] of last.claimed.entries()) {
      const partition = found[place]?.partition;
      if (partition !== undefined) this.#partitions.set(id, partition);
    }
    step.claimed.push(...own.toSorted(byTurn));
    for (const [number, peeked] of this.#peeks.entries()) {
      if (peeked.flagged) await step.ask(number, {});
    }
  }

  get #begun(): number {
    return this.#last.claimed.filter(({ begun }) => begun).length;
  }

  get #bytes(): number {
    return this.#last.claimed.reduce((sum, { body }) => sum + body.length, 0);
  }

  get #missing(): number {
    return this.#claim.begin + this.#claim.ahead - this.#last.claimed.length;
  }

  /** Grows within the step and from step to step. */
  #number(round: number): number {
    return this.#step.request.request * REQUESTS + round;
  }
}

function byTurn(left: ClaimedJob, right: ClaimedJob): number {
  if (left.begun !== right.begun) return left.begun ? -1 : 1;
  return (
    right.priority - left.priority ||
    left.due - right.due ||
    left.enqueuedAt - right.enqueuedAt ||
    (left.id < right.id ? -1 : 1)
  );
}
