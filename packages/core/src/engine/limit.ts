/** `queue.limit`. */
import { milliseconds } from "../duration.js";
import { TaskqError } from "../errors.js";
import { abortSignal, callable, integer, oneOf, refuseUnknown, shortText, unexpected } from "../options.js";
import { sleep } from "../sleep.js";
import { LARGEST_LIMIT } from "../task-options.js";
import type { Limit, LimitOptions } from "../vocabulary/locks.js";
import type { Engine } from "./engine-types.js";
import { patiently, type Patience } from "./patience.js";
import { storedName } from "./stored-name.js";

const LONGEST_NAME = 255;
/** How often it looks whether the queue was closed, in milliseconds. */
const LONGEST_NAP = 250;
/** The same where time is virtual, and may be moved at any moment. */
const VIRTUAL_NAP = 10;
/** After so many of those, whoever forgot to move it is told. */
const PATIENT_NAPS = 100;

interface LimitRequest {
  readonly name: string;
  readonly max: number;
  readonly per: number;
  readonly waits: boolean;
  readonly timeout: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/** @throws `TASKQ_OPTION` */
export function createLimit(engine: Engine, name: string, options: LimitOptions): Limit {
  const request = checkedRequest(name, options);
  return {
    acquire: () => acquire(engine, request),
    async run<T>(work: () => T): Promise<Awaited<T>> {
      callable(work, "limit run");
      await acquire(engine, request);
      const output: Awaited<T> = await work();
      return output;
    },
  };
}

function checkedRequest(name: string, options: LimitOptions): LimitRequest {
  refuseUnknown(options, ["max", "per", "onLimit", "timeout", "signal"], "limit");
  const { onLimit = "wait" } = options;
  const per = milliseconds(options.per, "limit per");
  if (per < 1) throw unexpected("limit per", "a duration of at least 1 ms", options.per);
  return {
    name: shortText(name, LONGEST_NAME, "limit name"),
    max: integer(options.max, "limit max", { min: 1, max: LARGEST_LIMIT }),
    per,
    waits: oneOf(onLimit, ["wait", "fail"], "limit onLimit") === "wait",
    timeout: options.timeout === undefined ? undefined : milliseconds(options.timeout, "limit timeout"),
    signal: abortSignal(options.signal, "limit signal"),
  };
}

function acquire(engine: Engine, request: LimitRequest): Promise<void> {
  return patiently(
    engine,
    request,
    () => late(request),
    (patience) => acquireIn(engine, request, patience),
  );
}

async function acquireIn(engine: Engine, request: LimitRequest, patience: Patience): Promise<void> {
  const { name, max, per, signal } = request;
  for (;;) {
    signal?.throwIfAborted();
    const now = engine.time.requestNow();
    const operation = engine.makeId(engine.time.now());
    const key = storedName(engine, name);
    const taking = engine.storage.take({ queue: engine.name, operation, key, max, per, now });
    const answer = await patience.of(taking);
    if (answer.taken) return;
    if (!request.waits) throw limited(request, "");
    const soonest = engine.time.now() + 1;
    const opensAt = answer.opensAt === undefined ? soonest + per : Math.max(answer.opensAt, soonest);
    await opened(engine, request, { opensAt, patience });
  }
}

/** Resolves when there may be a start, by the clock of the queue. */
async function opened(
  engine: Engine,
  request: LimitRequest,
  { opensAt, patience }: { readonly opensAt: number; readonly patience: Patience },
): Promise<void> {
  const { time } = engine;
  const isVirtual = time.requestNow() !== undefined;
  const over = new AbortController();
  // A clock that is moved far stops where somebody waits; one that has it otherwise is asked all the same.
  let reached = isVirtual ? time.clock.until(opensAt, over.signal) : undefined;
  void reached?.then(() => (reached = undefined));
  let before = Infinity;
  let naps = 0;
  try {
    for (let left = opensAt - time.now(); left > 0; left = opensAt - time.now()) {
      // The clock was set back: by what it shows now, there may be a start much sooner.
      if (left > before) return;
      before = left;
      // In virtual time it is not known how soon that will be.
      if ((isVirtual ? 1 : left) > patience.left) throw late(request);
      if (time.pass !== undefined) return time.pass(opensAt);
      if (isVirtual && (naps += 1) === PATIENT_NAPS) warnOfStandstill(request, opensAt);
      const nap = sleep(Math.min(left, isVirtual ? VIRTUAL_NAP : LONGEST_NAP), request.signal);
      await (reached === undefined ? nap : Promise.race([nap, reached]));
      request.signal?.throwIfAborted();
      engine.assertOpen();
    }
  } finally {
    over.abort();
  }
}

/** A test that waits for its handler would wait for ever, and not know why. */
function warnOfStandstill({ name, max, per }: LimitRequest, opensAt: number): void {
  process.emitWarning(
    `the limit '${name}' of ${max} in ${per} ms is used up until ${new Date(opensAt).toISOString()} of virtual time, which ` +
      "stands still: advance(queue, by) from @taskq/core/testing moves it, also while a handler waits",
    { type: "TaskqWarning", code: "TASKQ_STANDSTILL" },
  );
}

function late(request: LimitRequest): TaskqError {
  return limited(request, `, and has no start left within ${request.timeout} ms`);
}

function limited({ name, max, per }: LimitRequest, why: string): TaskqError {
  return new TaskqError("TASKQ_LIMITED", `the limit '${name}' of ${max} in ${per} ms is used up${why}`);
}
