import { cancelMove, moveQueue, TaskqError, type MoveReport, type Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import type { QueuePhase } from "@taskq/core/storage";
import { BreakingOff } from "./breaking-off.js";
import { countLines, grouped } from "./count-lines.js";
import { exitCode } from "./exit-code.js";
import { lengthOf } from "./instant.js";
import { pairsOf, type Pair } from "./pairs.js";
import { ProgressLines } from "./progress-lines.js";
import { storageName } from "./storage-name.js";
import { styleFor } from "./style.js";
import { explain, UserError } from "./user-error.js";

/** What `taskq move` was asked. */
export interface MoveCommandOptions {
  readonly queue?: readonly string[];
  readonly cancel?: boolean;
  readonly lost?: boolean;
}

/** Moves queues from one place to another, or takes that back. Answers the exit code. */
export async function move(from: string, to: string, options: MoveCommandOptions): Promise<number> {
  const { lost = false } = options;
  if (lost && options.cancel !== true) {
    throw new UserError("--lost is said with --cancel", { code: exitCode.usage });
  }
  const pairs = await pairsOf(from, to, options.queue, options.cancel === true);
  try {
    return options.cancel === true ? await takeAllBack(pairs, lost) : await moveAll(pairs);
  } finally {
    for (const pair of pairs) for (const queue of [pair.from, pair.to]) await queue.close();
  }
}

async function moveAll(pairs: readonly Pair[]): Promise<number> {
  using breaking = new BreakingOff(() => say("breaking off; once more ends at once"));
  for (const pair of pairs) {
    heading("moving", pair);
    try {
      await moveOne(pair, breaking.signal);
    } catch (error) {
      if (!breaking.signal.aborted) throw await withAdvice(error, pair);
      for (const line of ["broken off; nothing is lost", ...(await adviceFor(pair))]) say(`  ${line}`);
      return exitCode.interrupted;
    }
  }
  return exitCode.ok;
}

async function moveOne(pair: Pair, signal: AbortSignal): Promise<void> {
  const progress = new ProgressLines(say);
  const begun = performance.now();
  const report = await moveQueue(pair.from, pair.to, {
    signal,
    onProgress: ({ phase, active, records }) => {
      if (phase === "draining") progress.waiting(active);
      else if (phase === "copying") progress.records("copied", records);
      else if (phase === "comparing") progress.records("comparing, after", records);
    },
  });
  for (const line of reportLines(report, performance.now() - begun)) say(line);
}

function reportLines({ records, counts }: MoveReport, length: number): readonly string[] {
  if (counts === undefined && records === 0) return ["  has moved before, and is open there"];
  const kept = counts === undefined ? [] : countLines(counts);
  return [
    `  copied ${grouped(records)} records in ${lengthOf(length)}`,
    kept.length === 0 ? "  there was nothing to keep" : "  both keep the same:",
    ...kept,
    "  moved, and open: start consumers and producers at the new place",
    "  what the old one kept can still be read there, until you flush it",
  ];
}

async function takeAllBack(pairs: readonly Pair[], lost: boolean): Promise<number> {
  for (const pair of pairs) {
    heading("taking back", pair);
    say(`  ${await takeBack(pair, lost)}`);
  }
  return exitCode.ok;
}

async function takeBack({ from, to }: Pair, lost: boolean): Promise<string> {
  const [here, there] = [await phaseOf(from), await phaseOf(to)];
  if (here === "open" && there !== "arriving") return "is not moving: there is nothing to take back";
  try {
    await cancelMove(from, to, { lost });
  } catch (error) {
    if (error instanceof TaskqError && error.code === "TASKQ_MOVE" && !lost)
      throw lostOrElsewhere(from, error);
    if (!(error instanceof TaskqError) || error.code !== "TASKQ_MOVED") throw error;
    throw new UserError(
      `the queue '${from.name}' has opened where it was moved to, and may have changed there: ` +
        `to have it back, move it from that place to ${storageName(from)}`,
      { cause: error },
    );
  }
  return "taken back: open at the old place, and what had come to the new one is removed";
}

function lostOrElsewhere({ name }: Queue, error: TaskqError): UserError {
  return new UserError(
    `the queue '${name}' has left for another place than this one, or this one has lost all of it: its server was flushed, or ` +
      "came back with an older copy. If that is so, and sure, the same line with --lost opens it where it was",
    { cause: error },
  );
}

async function phaseOf(queue: Queue): Promise<QueuePhase> {
  const engine = engineOf(queue);
  await engine.open();
  return engine.storage.phase({ queue: engine.name });
}

async function phaseIfTold(queue: Queue): Promise<QueuePhase | undefined> {
  try {
    return await phaseOf(queue);
  } catch {
    return undefined;
  }
}

/** The error, and how to go on from where it has left the queue. */
async function withAdvice(error: unknown, pair: Pair): Promise<unknown> {
  if (!(error instanceof TaskqError) || (await phaseIfTold(pair.from)) === "open") return error;
  return new UserError([explain(error), ...(await adviceFor(pair))].join("\n  "), { cause: error });
}

async function adviceFor({ from, to }: Pair): Promise<readonly string[]> {
  const phase = await phaseIfTold(from);
  if (phase === "open") return ["the queue is open where it was, as if nothing had been asked"];
  const there = phase === "left" ? await phaseIfTold(to) : undefined;
  if (there === "open" || there === "left") {
    return ["it has left for another place before, or gone on from there: move it from where it is now"];
  }
  return [
    phase === undefined
      ? "if it has begun to leave, the queue takes and starts nothing until the move is finished or taken back:"
      : "until the move is finished or taken back, the queue takes and starts nothing:",
    "the same line again goes on from here, and with --cancel it takes the move back",
  ];
}

function heading(doing: string, { from, to }: Pair): void {
  say(`${doing} queue ${styleFor(process.stdout).bold(from.name)}`);
  say(`  from  ${storageName(from)}`);
  say(`  to    ${storageName(to)}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
