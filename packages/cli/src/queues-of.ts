import { TaskqError, type Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import type { Exports } from "./load-module.js";
import { UserError } from "./user-error.js";

/**
 * The queues that a module exports, each once, in the order of the names of its exports.
 *
 * @throws `TASKQ_NO_QUEUE` {UserError}
 */
export function queuesOf(
  exports: Exports,
  path: string,
  names: readonly string[] | undefined,
): readonly Queue[] {
  const found = new Set<Queue>();
  for (const value of values(exports)) if (looksLikeQueue(value)) found.add(value);
  if (found.size === 0) throw noQueue(exports, path);
  for (const queue of found) refuseOtherCopy(queue, path);
  return names === undefined ? [...found] : named([...found], names, path);
}

/** The exports; those of a CommonJS module may stand only in its default export. */
function values(exports: Exports): readonly unknown[] {
  const { default: whole } = exports;
  const inside =
    typeof whole === "object" && whole !== null && !looksLikeQueue(whole) ? Object.values(whole) : [];
  return [...Object.values(exports), ...inside];
}

/** By its members: a queue of another copy of core is to be told from no queue at all. */
function looksLikeQueue(value: unknown): value is Queue {
  if (typeof value !== "object" || value === null) return false;
  const { name, tasks, enqueue, on } = value as Partial<Record<keyof Queue, unknown>>;
  return (
    typeof name === "string" &&
    tasks instanceof Map &&
    typeof enqueue === "function" &&
    typeof on === "function"
  );
}

function refuseOtherCopy(queue: Queue, path: string): void {
  try {
    engineOf(queue);
  } catch (error) {
    throw new UserError(
      `the queue '${queue.name}' of ${path} was made by another copy of @taskq/core than this taskq uses; ` +
        `install @taskq/cli beside @taskq/core, in the project itself, and run it there: npx taskq run ${path}`,
      { cause: error },
    );
  }
}

function named(queues: readonly Queue[], names: readonly string[], path: string): readonly Queue[] {
  const known = queues.map(({ name }) => name);
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return queues.filter(({ name }) => names.includes(name));
  throw new TaskqError("TASKQ_NO_QUEUE", `${path} exports no queue named '${unknown}', but ${listed(known)}`);
}

function noQueue(exports: Exports, path: string): TaskqError {
  // The default export of a CommonJS module is the module itself, which says nothing.
  const names = Object.entries(exports)
    .filter(([name, value]) => !isWholeModule(name, value, exports))
    .map(([name, value]) => `${name} (${kind(value)})`);
  const came = names.length === 0 ? "nothing" : listed(names);
  return new TaskqError(
    "TASKQ_NO_QUEUE",
    `${path} exports no queue; it exports ${came}. Export what createQueue answers: export const queue = createQueue({ … })`,
  );
}

function isWholeModule(name: string, value: unknown, exports: Exports): boolean {
  if (name === "module.exports") return true;
  return name === "default" && isPlain(value) && Object.keys(value).every((key) => key in exports);
}

/** No promise, no map: these have no keys, and are something of their own. */
function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function kind(value: unknown): string {
  if (typeof value === "function")
    return /^class\b/.test(Function.prototype.toString.call(value)) ? "a class" : "a function";
  if (value instanceof Promise) return "a promise: await it";
  if (typeof value === "object" && value !== null && "job" in value) return "a task";
  return value === null ? "null" : typeof value;
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
