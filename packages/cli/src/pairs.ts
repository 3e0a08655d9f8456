/** The queues of a move, each with its counterpart. */
import { createQueue, type Keep, type Queue, type Storage } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { exitCode } from "./exit-code.js";
import { loadModule } from "./load-module.js";
import { placeOf, type Address, type ModulePlace } from "./place.js";
import { queuesOf } from "./queues-of.js";
import { storageAt } from "./storage-at.js";
import { storageName } from "./storage-name.js";
import { UserError } from "./user-error.js";

export interface Pair {
  readonly from: Queue;
  readonly to: Queue;
}

/**
 * The queues that two places have in common. One of the two is a module: it says which queues there are, and how long
 * they keep jobs.
 *
 * @param names Only these queues; `undefined`: all.
 * @param areThere Both places were used before.
 * @throws {UserError} `TASKQ_NO_QUEUE`
 */
export async function pairsOf(
  fromText: string,
  toText: string,
  names: readonly string[] | undefined,
  areThere: boolean,
): Promise<readonly Pair[]> {
  const [from, to] = [placeOf(fromText), placeOf(toText)];
  if (from.kind === "module" && to.kind === "module") return ofModules(from, to, names);
  if (from.kind === "module" && to.kind !== "module")
    return beside(from, to, names, { role: "to", isThere: areThere });
  if (from.kind !== "module" && to.kind === "module")
    return beside(to, from, names, { role: "from", isThere: true });
  throw new UserError(
    "expected a module for one of the two, as for taskq run: it says which queues there are, and how long they keep jobs",
    { code: exitCode.usage },
  );
}

async function ofModules(
  from: ModulePlace,
  to: ModulePlace,
  names: readonly string[] | undefined,
): Promise<readonly Pair[]> {
  const sources = queuesOf(await loadModule(from.path), from.path, names);
  const targets = queuesOf(
    await loadModule(to.path),
    to.path,
    sources.map(({ name }) => name),
  );
  return checked(sources.map((source) => ({ from: source, to: sameNamed(source, targets) })));
}

function sameNamed({ name }: Queue, queues: readonly Queue[]): Queue {
  const found = queues.find((queue) => queue.name === name);
  if (found === undefined) throw new Error(`no queue named ${name}`);
  return found;
}

async function beside(
  { path }: ModulePlace,
  address: Address,
  names: readonly string[] | undefined,
  { role, isThere }: { readonly role: "from" | "to"; readonly isThere: boolean },
): Promise<readonly Pair[]> {
  const queues = queuesOf(await loadModule(path), path, names);
  const storage = await storageAt(address, path, isThere);
  return checked(
    queues.map((queue) => {
      const other = counterpart(queue, storage);
      return role === "to" ? { from: queue, to: other } : { from: other, to: queue };
    }),
  );
}

/**
 * A queue of the same name that keeps its jobs as long, unknown ones too, and signs and encrypts as the other does; what
 * it runs does not matter here.
 */
function counterpart(queue: Queue, storage: Storage): Queue {
  const { openRequest, serializer } = engineOf(queue);
  const { retention, unknownAfter } = openRequest;
  const keep = { completed: finite(retention.completed), failed: finite(retention.failed) };
  const options = { name: queue.name, storage, tasks: {}, keep, serializer };
  return createQueue(unknownAfter === undefined ? options : { ...options, unknownAfter });
}

function finite({
  for: length,
  max,
}: {
  readonly for: number;
  readonly max: number;
}): NonNullable<Keep["failed"]> {
  return {
    ...(Number.isFinite(length) ? { for: length } : {}),
    ...(Number.isSafeInteger(max) ? { max } : {}),
  };
}

function checked(pairs: readonly Pair[]): readonly Pair[] {
  for (const { from, to } of pairs) {
    refuseMemory(from);
    refuseMemory(to);
    // Of a server, the name does not tell what keys are used.
    const [here, there] = [storageName(from), storageName(to)];
    if (here !== there || !here.startsWith("sqlite ")) continue;
    throw new UserError(
      `the queue '${from.name}' is kept in ${here} already; give another file to move it to`,
    );
  }
  return pairs;
}

/** @throws {UserError} */
export function refuseMemory(queue: Queue): void {
  if (storageName(queue) !== "memory") return;
  throw new UserError(
    `the queue '${queue.name}' is kept in the memory of its process: what is there cannot be read from another process, ` +
      "and what this one put there would be lost at its end",
  );
}
