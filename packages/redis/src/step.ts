/** Settling and claiming: one script, and others only where more follows from a settlement than one script may do. */
import type {
  ClaimedJob,
  JobEffect,
  SettleAnswer,
  Settlement,
  StepAnswer,
  StepRequest,
} from "@taskq/core/storage";
import { systemClock } from "@taskq/core/storage";
import { SCRIPTS } from "./lua/scripts.js";
import type { OpenQueue } from "./open-queue.js";
import { claimedOf, listOf, numberIfAny, runOf, textsOf } from "./wire/answers.js";
import { runRequest, settlementRequest } from "./wire/requests.js";

export async function step(queue: OpenQueue, request: StepRequest): Promise<StepAnswer> {
  const now = request.now ?? systemClock.now();
  const effects: JobEffect[] = [];
  let settled: readonly SettleAnswer[] = [];
  for (;;) {
    const rest = request.settled.slice(settled.length);
    const fields = queue.stats.due(now, request.last === true);
    const { answer, effects: more } = await ask(queue, request, rest, fields);
    effects.push(...more);
    const answers = textsOf(answer["settled"]) as SettleAnswer[];
    queue.stats.record(rest, answers, now);
    settled = [...settled, ...answers];
    const done = answer["part"] !== true;
    if (done || (settled.length === request.settled.length && request.claim === undefined)) {
      if (request.last === true) await writeLast(queue, now);
      return {
        settled,
        claimed: listOf(answer["claimed"], claimedOf) satisfies ClaimedJob[],
        more: answer["more"] === true || !done,
        nextDue: numberIfAny(answer["nextDue"]),
        revoked: listOf(answer["revoked"], runOf),
        effects,
      };
    }
    effects.push(...(await queue.catchUp(request.now)));
  }
}

async function ask(
  queue: OpenQueue,
  request: StepRequest,
  rest: readonly Settlement[],
  stats: ReturnType<OpenQueue["stats"]["due"]>,
): ReturnType<OpenQueue["ask"]> {
  const { owner, tasks, claim, now } = request;
  try {
    return await queue.ask(SCRIPTS.step, {
      queue: queue.name,
      owner,
      request: request.request,
      tasks,
      claim,
      now,
      settled: rest.map(settlementRequest),
      begun: request.begun.map(runRequest),
      stats,
    });
  } catch (error) {
    if (stats !== undefined) queue.stats.notWritten(stats);
    throw error;
  }
}

/** The owner asks no more: what this step itself gathered is written too. */
async function writeLast(queue: OpenQueue, now: number): Promise<void> {
  const put = queue.stats.due(now, true);
  if (put !== undefined) await queue.ask(SCRIPTS.stats, { queue: queue.name, put, now });
}
