import type { Storage } from "@taskq/core";
import { TaskqError, type StorageContract, type StorageRequest } from "@taskq/core/storage";
import { randomSource } from "./random-source.js";

/** The calls that can meet a fault: all that answer a promise, but `close`. */
export type FaultyMethod =
  | "open"
  | "enqueue"
  | "step"
  | "renew"
  | "reap"
  | "amend"
  | "control"
  | "tick"
  | "schedules"
  | "read"
  | "list"
  | "explain"
  | "counts"
  | "note"
  | "notes"
  | "values"
  | "keys"
  | "take"
  | "stats"
  | "events"
  | "export"
  | "import"
  | "phase"
  | "purge";

/**
 * `refused`: rejects with `TASKQ_UNAVAILABLE` and never reaches the storage. `broken`: likewise with `TASKQ_STORAGE`.
 * `lost`: is carried out, then rejects with `TASKQ_UNAVAILABLE`: the caller cannot know. `delayed`: is carried out late.
 */
export type FaultKind = "refused" | "broken" | "lost" | "delayed";

/** Which share of the calls meets which fault, from 0 to 1 each, 1 in all. */
export interface FaultPlan {
  /** The same seed gives the same faults to the same order of calls. @default 1 */
  readonly seed?: number;
  /** @default 0 */
  readonly refused?: number;
  /** @default 0 */
  readonly broken?: number;
  /** @default 0 */
  readonly lost?: number;
  /** @default 0 */
  readonly delayed?: number;
  /** The longest delay, in milliseconds. @default 20 */
  readonly delay?: number;
  /** @default all but `open` */
  readonly methods?: readonly FaultyMethod[];
}

/** A fault that a call has met. */
export interface Fault {
  readonly method: FaultyMethod;
  readonly kind: FaultKind;
}

/** What steers the faults of a `faultyStorage`. */
export interface FaultControl {
  /** Every fault so far, in the order of the calls. */
  readonly met: readonly Fault[];
  /** The next call of this method meets this fault, whatever the plan says. */
  inject(method: FaultyMethod, kind: FaultKind): void;
  /**
   * From now on every call of this method whose request is such is `broken`, whatever the plan says, as by what a storage can
   * never take.
   */
  breakWhen<Method extends FaultyMethod>(
    method: Method,
    isSuch: (request: StorageRequest<Method>) => boolean,
  ): void;
  /** From now on every call is refused, until it is told otherwise: the storage is away. */
  setAway(away: boolean): void;
  /** From now on the plan is heeded, or not. What was injected is met all the same. */
  setPlanned(planned: boolean): void;
}

export interface FaultyStorage extends StorageContract, Storage {
  readonly faults: FaultControl;
}

const METHODS: ReadonlySet<string> = new Set<FaultyMethod>([
  "open",
  "enqueue",
  "step",
  "renew",
  "reap",
  "amend",
  "control",
  "tick",
  "schedules",
  "read",
  "list",
  "explain",
  "counts",
  "note",
  "notes",
  "values",
  "keys",
  "take",
  "stats",
  "events",
  "export",
  "import",
  "phase",
  "purge",
]);
const KINDS: readonly FaultKind[] = ["refused", "broken", "lost", "delayed"];
const LONGEST_DELAY = 20;

type Call = (...parameters: unknown[]) => Promise<unknown>;

/**
 * A storage whose calls fail, lose their answers or are late, by a seeded plan or on demand.
 *
 * It promises what the storage below promises: whoever repeats a call that failed, under the same ids, fences and
 * operation names, has done it once.
 *
 * @throws `TASKQ_OPTION` when the shares are no shares or exceed 1 in all
 * @example
 * const storage = faultyStorage(memoryStorage(), { seed: 7, lost: 0.1, delayed: 0.2 });
 * storage.faults.inject("step", "lost");
 * const queue = createQueue({ name: "mail", storage, tasks: { send } });
 */
export function faultyStorage(storage: Storage | StorageContract, plan: FaultPlan = {}): FaultyStorage {
  const faults = new Faults(plan);
  const calls = new Map<string, Call>();
  const wrap = (method: FaultyMethod): Call => {
    const known = calls.get(method);
    if (known !== undefined) return known;
    const call: Call = async (...parameters) =>
      faults.meet(method, parameters[0], async () =>
        Reflect.apply(callOf(storage, method), storage, parameters),
      );
    calls.set(method, call);
    return call;
  };
  return new Proxy(storage, {
    get(target, property) {
      if (property === "faults") return faults;
      if (typeof property === "string" && METHODS.has(property)) return wrap(property as FaultyMethod);
      const value: unknown = Reflect.get(target, property, target);
      // Methods of classes reach for their own private parts, which a proxy does not have.
      return typeof value === "function" ? (value as Call).bind(target) : value;
    },
  }) as FaultyStorage;
}

function callOf(storage: Storage | StorageContract, method: FaultyMethod): Call {
  return Reflect.get(storage, method) as Call;
}

class Faults implements FaultControl {
  readonly met: Fault[] = [];
  readonly #injected = new Map<FaultyMethod, FaultKind[]>();
  readonly #broken: { readonly method: FaultyMethod; readonly isSuch: (request: never) => boolean }[] = [];
  readonly #plan: FaultPlan;
  readonly #random: () => number;
  #away = false;
  #planned = true;

  constructor(plan: FaultPlan) {
    checkShares(plan);
    this.#plan = plan;
    this.#random = randomSource(plan.seed ?? 1);
  }

  inject(method: FaultyMethod, kind: FaultKind): void {
    const kinds = this.#injected.get(method) ?? [];
    kinds.push(kind);
    this.#injected.set(method, kinds);
  }

  breakWhen<Method extends FaultyMethod>(
    method: Method,
    isSuch: (request: StorageRequest<Method>) => boolean,
  ): void {
    this.#broken.push({ method, isSuch });
  }

  setAway(away: boolean): void {
    this.#away = away;
  }

  setPlanned(planned: boolean): void {
    this.#planned = planned;
  }

  async meet(method: FaultyMethod, request: unknown, carryOut: () => Promise<unknown>): Promise<unknown> {
    const kind = this.#next(method, request);
    if (kind === undefined) return carryOut();
    this.met.push({ method, kind });
    if (kind === "refused") throw unavailable(method, "before it reached the storage");
    if (kind === "broken") throw new TaskqError("TASKQ_STORAGE", `injected fault: ${method} failed`);
    if (kind === "delayed") await this.#delay();
    const answer = await carryOut();
    if (kind === "lost") throw unavailable(method, "after it was carried out");
    return answer;
  }

  #next(method: FaultyMethod, request: unknown): FaultKind | undefined {
    if (this.#away) return "refused";
    if (this.#broken.some((one) => one.method === method && one.isSuch(request as never))) return "broken";
    const injected = this.#injected.get(method)?.shift();
    if (injected !== undefined) return injected;
    if (!this.#planned || !concerns(this.#plan, method)) return undefined;
    let point = this.#random();
    return KINDS.find((kind) => {
      const share = this.#plan[kind] ?? 0;
      point -= share;
      return point < 0;
    });
  }

  async #delay(): Promise<void> {
    const delay = this.#random() * (this.#plan.delay ?? LONGEST_DELAY);
    await new Promise<void>((resolve) => {
      setTimeout(resolve, delay);
    });
  }
}

function concerns(plan: FaultPlan, method: FaultyMethod): boolean {
  return plan.methods === undefined ? method !== "open" : plan.methods.includes(method);
}

function checkShares(plan: FaultPlan): void {
  let sum = 0;
  for (const kind of KINDS) {
    const share = plan[kind] ?? 0;
    sum += share;
    if (!(share >= 0 && sum <= 1 + Number.EPSILON)) {
      throw new TaskqError(
        "TASKQ_OPTION",
        `expected the shares of a fault plan to be from 0 to 1, and 1 in all; got ${kind}: ${share}`,
      );
    }
  }
}

function unavailable(method: FaultyMethod, when: string): TaskqError {
  return new TaskqError("TASKQ_UNAVAILABLE", `injected fault: the answer to ${method} was cut off ${when}`);
}
