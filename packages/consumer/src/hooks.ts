import { AsyncLocalStorage } from "node:async_hooks";

/** What a consumer calls when it starts and stops, and what that asks of the consumer while it lasts. */
export class Hooks {
  readonly #scope = new AsyncLocalStorage<{ isOver: boolean }>();

  /** Whether a hook asks: it would wait for itself. What it has left behind may wait. */
  get isAsking(): boolean {
    return this.#scope.getStore()?.isOver === false;
  }

  async call(hook: (() => unknown) | undefined): Promise<void> {
    const call = { isOver: false };
    try {
      await this.#scope.run(call, () => hook?.());
    } finally {
      call.isOver = true;
    }
  }
}
