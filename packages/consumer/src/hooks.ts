import { AsyncLocalStorage } from "node:async_hooks";

/** What a consumer calls when it starts and stops, and what that asks of the consumer while it lasts. */
export class Hooks {
  readonly #scope = new AsyncLocalStorage<true>();

  /** Whether a hook asks: it would wait for itself. What it has left behind may wait. */
  get isAsking(): boolean {
    return this.#scope.getStore() !== undefined;
  }

  async call(hook: (() => unknown) | undefined): Promise<void> {
    if (hook === undefined) return;
    try {
      await this.#scope.run(true, hook);
    } finally {
      // As long as there is a scope, Node follows every promise of the process through it.
      this.#scope.disable();
    }
  }
}
