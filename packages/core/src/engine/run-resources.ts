/** What a consumer lends to one run: made before it, disposed of after it, last made first. */
import { errorText } from "./failure.js";
import type { Run } from "./run.js";

export async function lendResources(
  run: Run,
  factories: Readonly<Record<string, () => unknown>>,
): Promise<void> {
  const lent: Record<string, unknown> = {};
  // Set first, so that those made before one that fails are disposed of.
  run.lent = lent;
  for (const [name, make] of Object.entries(factories)) lent[name] = await make();
}

export async function disposeResources(run: Run): Promise<void> {
  for (const [name, resource] of Object.entries(run.lent).toReversed()) {
    try {
      await dispose(resource);
    } catch (error) {
      run.engine.logger.error(
        { job: run.id, resource: name, error: errorText(error) },
        "a resource could not be disposed of",
      );
    }
  }
}

async function dispose(resource: unknown): Promise<void> {
  if (typeof resource !== "object" || resource === null) return;
  if (Symbol.asyncDispose in resource && typeof resource[Symbol.asyncDispose] === "function") {
    await (resource as AsyncDisposable)[Symbol.asyncDispose]();
  } else if (Symbol.dispose in resource && typeof resource[Symbol.dispose] === "function") {
    (resource as Disposable)[Symbol.dispose]();
  }
}
