/** The unit of the kit: one sentence of the storage contract, and the check that it is kept. */
import type { Context } from "./context.js";

/** One sentence of the contract with its check. */
export interface ContractPromise {
  /** Word for word as the contract in `@taskq/core/storage` says it. */
  readonly title: string;
  readonly check: (context: Context) => Promise<void>;
  /** Why the check makes no sense when every call is repeated; `undefined`: it does. */
  readonly unrepeated: string | undefined;
}

/** The promises about one method of the contract, or one side of it. */
export interface Subject {
  readonly name: string;
  readonly promises: readonly ContractPromise[];
}

/**
 * A sentence of the contract and the check of it, which gets a fresh storage and virtual time, and throws when the
 * promise is not kept.
 *
 * @example promise("closing twice does nothing", async ({ storage }) => { await storage.close(); await storage.close(); })
 */
export function promise(
  title: string,
  check: (context: Context) => Promise<void>,
  options: { readonly unrepeated?: string } = {},
): ContractPromise {
  return { title, check, unrepeated: options.unrepeated };
}

/** Promises under a name. */
export function subject(name: string, promises: readonly ContractPromise[]): Subject {
  return { name, promises };
}
