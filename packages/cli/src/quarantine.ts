/** `taskq quarantine`: jobs that cannot be read, to be looked at, released or deleted. */
import { TaskqError, type JobInfo, type Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { exitCode } from "./exit-code.js";
import { localTime } from "./instant.js";
import { loadModule } from "./load-module.js";
import { printable } from "./printable.js";
import { queuesOf } from "./queues-of.js";
import { storageName } from "./storage-name.js";
import { styleFor } from "./style.js";
import { UserError } from "./user-error.js";

/** What `taskq quarantine` was asked, checked. */
export interface QuarantineOptions {
  /** Ids, or `all`. */
  readonly release?: readonly string[];
  readonly delete?: readonly string[];
  readonly queue?: readonly string[];
}

const ALL = "all";
/** Jobs that are deleted in one step. */
const AT_ONCE = 200;

/** Lists what is quarantined in the queues of a module, or releases or deletes it. Answers the exit code. */
export async function quarantine(module: string, options: QuarantineOptions): Promise<number> {
  const queues = queuesOf(await loadModule(module), module, options.queue);
  try {
    if (options.release !== undefined) return await change(queues, options.release, RELEASE);
    if (options.delete !== undefined) return await change(queues, options.delete, DELETE);
    for (const queue of queues) await list(queue);
    return exitCode.ok;
  } finally {
    await Promise.all(queues.map((queue) => queue.close()));
  }
}

async function list(queue: Queue): Promise<void> {
  const style = styleFor(process.stdout);
  const { quarantined } = await queue.counts();
  const count = `${quarantined === 0 ? "nothing" : quarantined} quarantined`;
  await show(`queue ${style.bold(queue.name)}   ${storageName(queue)}   ${count}`);
  for await (const job of queue.jobs({ state: "quarantined" })) {
    const { since, code, reason } = tellingOf(job);
    const facts = [since, sizeOf(job.quarantine?.bytes.length ?? 0), code].filter((fact) => fact !== "");
    await show(`  ${style.bold(printable(job.id))}  ${printable(job.task)}  ${style.dim(facts.join("  "))}`);
    await show(`    ${printable(reason)}`);
  }
}

function tellingOf({ quarantine: told }: JobInfo): {
  readonly since: string;
  readonly code: string;
  readonly reason: string;
} {
  return {
    since: told?.since === undefined ? "" : `since ${localTime(told.since)}`,
    code: printable(told?.code ?? ""),
    reason: told?.reason ?? "it is not quarantined any more",
  };
}

/** What is done to quarantined jobs. */
interface Change {
  readonly done: string;
  /** Answers those to which it was done, and tells why of the others. */
  readonly apply: (
    queue: Queue,
    ids: readonly string[],
    refused: (id: string, why: string) => void,
  ) => Promise<number>;
}

const RELEASE: Change = {
  done: "released",
  async apply(queue, ids, refused) {
    let released = 0;
    for (const id of ids) {
      try {
        if (await queue.retry(id)) released += 1;
        else refused(id, "it is not quarantined any more");
      } catch (error) {
        // One whose flow went on without it keeps no other from its release.
        if (!(error instanceof TaskqError) || error.code !== "TASKQ_FLOW_FINISHED") throw error;
        refused(id, `${error.message} (${error.code})`);
      }
    }
    return released;
  },
};

const DELETE: Change = {
  done: "deleted",
  async apply(queue, ids, refused) {
    const { storage, name, time } = engineOf(queue);
    let deleted = 0;
    for (let from = 0; from < ids.length; from += AT_ONCE) {
      const page = ids.slice(from, from + AT_ONCE);
      const { changed } = await storage.amend({
        queue: name,
        ids: page,
        change: { kind: "remove" },
        now: time.requestNow(),
      });
      deleted += changed.length;
      const gone = new Set(changed);
      for (const id of page) if (!gone.has(id)) refused(id, "it is not there any more");
    }
    return deleted;
  },
};

async function change(
  queues: readonly Queue[],
  asked: readonly string[],
  { done, apply }: Change,
): Promise<number> {
  const all = asked.includes(ALL);
  const missing = new Set(all ? [] : asked);
  let complaints = 0;
  const refused = (id: string, why: string): void => {
    complaints += 1;
    process.stderr.write(`taskq: ${printable(id)} was not ${done}: ${printable(why)}\n`);
  };
  for (const queue of queues) {
    const ids = all ? await idsOf(queue) : await quarantinedOf(queue, [...missing]);
    for (const id of ids) missing.delete(id);
    const count = await apply(queue, ids, refused);
    if (all || count > 0) print(`queue ${queue.name}: ${count} ${done}`);
  }
  for (const id of missing) refused(id, `no quarantined job of ${named(queues)} has this id`);
  return complaints === 0 ? exitCode.ok : exitCode.failure;
}

async function idsOf(queue: Queue): Promise<readonly string[]> {
  const ids: string[] = [];
  for await (const { id } of queue.jobs({ state: "quarantined" })) ids.push(id);
  return ids;
}

async function quarantinedOf(queue: Queue, asked: readonly string[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (const id of asked) if ((await queue.job(id))?.state === "quarantined") found.push(id);
  return found;
}

function named(queues: readonly Queue[]): string {
  const names = queues.map(({ name }) => `'${name}'`).join(", ");
  return queues.length === 1 ? `the queue ${names}` : `the queues ${names}`;
}

const UNITS = ["KiB", "MiB", "GiB"];

/** `34 B`, `1.5 KiB` */
export function sizeOf(bytes: number): string {
  if (bytes < 1_024) return `${bytes} B`;
  let size = bytes / 1_024;
  let unit = 0;
  for (; size >= 1_024 && unit < UNITS.length - 1; unit += 1) size /= 1_024;
  return `${size.toFixed(1)} ${UNITS[unit]}`;
}

/** The list is all that is asked for: it ends with whoever reads it. */
async function show(line: string): Promise<void> {
  const error = await new Promise<Error | null | undefined>((told) =>
    process.stdout.write(`${line}\n`, told),
  );
  if (error instanceof Error)
    throw new UserError(`the list could not be written: ${error.message}`, { cause: error });
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
