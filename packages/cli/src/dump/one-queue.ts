import type { Queue } from "@taskq/core";
import { exitCode } from "../exit-code.js";
import { loadModule } from "../load-module.js";
import { queuesOf } from "../queues-of.js";
import { UserError } from "../user-error.js";

/** The one queue of a module that is meant. @throws {UserError} if there are several */
export async function oneQueue(module: string, names: readonly string[] | undefined): Promise<Queue> {
  const queues = queuesOf(await loadModule(module), module, names);
  const [queue, ...others] = queues;
  if (queue !== undefined && others.length === 0) return queue;
  const listed = queues
    .map(({ name }) => `'${name}'`)
    .toSorted()
    .join(", ");
  throw new UserError(`a file holds one queue; say which of ${listed}, with --queue <name>`, {
    code: exitCode.usage,
  });
}
