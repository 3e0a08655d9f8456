import { setImmediate } from "node:timers/promises";
import { createConsumer, type Consumer, type ConsumerOptions } from "@taskq/consumer";
import { TaskqError, type Duration, type EventType, type Queue } from "@taskq/core";
import { banner } from "./banner.js";
import { tellOfEndsWithin } from "./ended-within.js";
import { eventLine } from "./event-line.js";
import { exitCode } from "./exit-code.js";
import { loadModule } from "./load-module.js";
import { queuesOf } from "./queues-of.js";
import { tellOfStopping } from "./stopping.js";
import { tellOfTrouble } from "./trouble.js";
import { styleFor } from "./style.js";
import { Tally } from "./tally.js";
import { lookForUnknownTasks, tellOfUnknownTasks } from "./unknown-tasks.js";

/** What `taskq run` was asked, checked. */
export interface RunOptions {
  readonly workers?: number;
  readonly lease?: Duration;
  readonly grace?: Duration;
  readonly prefetch?: "adaptive" | number;
  readonly periodic: boolean;
  readonly queue?: readonly string[];
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

const FAILURES: readonly EventType[] = ["failed", "quarantined"];
const TROUBLE: readonly EventType[] = [...FAILURES, "retrying", "timeout", "interrupted", "lease-lost"];

/** Runs the jobs of a module's queues until a signal. Answers the exit code. */
export async function run(module: string, options: RunOptions): Promise<number> {
  const queues = queuesOf(await loadModule(module), module, options.queue);
  const consumer = createConsumer(queues, consumerOptions(options));
  const tally = new Tally();
  const printed = printEvents(queues, options, tally);
  try {
    // Opens the storage, so that one that cannot be used is told of before anything else.
    const facts = await Promise.all(
      queues.map(async (queue) => ({ queue, counts: await unlessAway(() => queue.counts()) })),
    );
    if (options.quiet !== true) {
      print(bannerOf(module, facts, consumer, options));
      for (const { queue, counts } of facts) {
        if (counts !== undefined && counts.parked > 0) await unlessAway(() => lookForUnknownTasks(queue));
      }
    }
    await consume(consumer, options, tally);
    return exitCode.ok;
  } finally {
    for (const listener of printed) listener[Symbol.dispose]();
    await Promise.all(queues.map((queue) => queue.close()));
  }
}

const DEFAULTS = { workers: 10, lease: "30s", grace: "25s" } as const;

function consumerOptions({ workers, lease, grace, prefetch, periodic }: RunOptions): ConsumerOptions {
  return {
    workers: workers ?? DEFAULTS.workers,
    lease: lease ?? DEFAULTS.lease,
    grace: grace ?? DEFAULTS.grace,
    periodic,
    ...(prefetch === undefined ? {} : { prefetch }),
  };
}

async function consume(consumer: Consumer, { grace, quiet }: RunOptions, tally: Tally): Promise<void> {
  const say = quiet === true ? () => {} : print;
  const telling = tellOfStopping(consumer, grace ?? DEFAULTS.grace, say);
  const listening = tellOfEndsWithin(consumer);
  try {
    const running = consumer.run();
    // One that refuses to begin says so at once, and never runs.
    await Promise.race([running, setImmediate()]);
    say("running; Ctrl-C or SIGTERM stops\n");
    await running;
    say(`stopped: ${tally.text()}\n`);
  } finally {
    listening[Symbol.dispose]();
    telling[Symbol.dispose]();
  }
}

/** `undefined` where the storage does not answer: one that is away for the moment is what a consumer waits for. */
async function unlessAway<Answer>(ask: () => Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof TaskqError && error.code === "TASKQ_UNAVAILABLE") return undefined;
    throw error;
  }
}

function bannerOf(
  module: string,
  queues: Parameters<typeof banner>[0]["queues"],
  consumer: Consumer,
  { lease, grace, periodic }: RunOptions,
): string {
  const { workers } = consumer.health();
  const limits = { workers, lease: lease ?? DEFAULTS.lease, grace: grace ?? DEFAULTS.grace };
  return `${banner({ module, queues, ...limits, periodic, now: new Date() }, styleFor(process.stdout))}\n`;
}

function printEvents(queues: readonly Queue[], options: RunOptions, tally: Tally): readonly Disposable[] {
  const style = styleFor(process.stdout);
  const shown = options.quiet === true ? FAILURES : TROUBLE;
  const taskWidth = Math.max(
    0,
    ...queues.flatMap(({ tasks }) => [...tasks.keys()].map((name) => name.length)),
  );
  return queues.flatMap((queue) => {
    const columns = { queue: queues.length > 1 ? queue.name : undefined, taskWidth };
    const types = options.verbose === true ? "*" : shown;
    return [
      queue.on(types, (event) => print(`${eventLine(event, columns, style)}\n`)),
      queue.on([...Tally.types], (event) => tally.count(event.type)),
      ...(options.quiet === true
        ? []
        : [tellOfUnknownTasks(queue, print, style), tellOfTrouble(queue, print, style)]),
    ];
  });
}

function print(text: string): void {
  process.stdout.write(text);
}
