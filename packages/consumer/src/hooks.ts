import { AsyncLocalStorage } from "node:async_hooks";

/** One call of a hook. */
interface Call {
  isOver: boolean;
}

/** What a consumer calls when it starts and stops, and what that asks of the consumer while it lasts. */
export class Hooks {
  readonly #scope = new AsyncLocalStorage<Call>();

  /** Whether a hook asks: it would wait for itself. What it has left behind may wait. */
  get isAsking(): boolean {
    return this.#scope.getStore()?.isOver === false;
  }

  async call(hook: (() => unknown) | undefined): Promise<void> {
    if (hook === undefined) return;
    const call = { isOver: false };
    try {
      await this.#scope.run(call, hook);
    } finally {
      // From Node 24 on, what was left behind keeps its scope.
      call.isOver = true;
      // As long as there is a scope, Node 20 and 22 follow every promise of the process through it.
      this.#scope.disable();
    }
  }
}
