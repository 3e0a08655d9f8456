/** Whether something has been told since it was last asked. */
export class Told {
  #isTold = false;
  #wake: () => void = () => {};

  readonly tell = (): void => {
    this.#isTold = true;
    this.#wake();
  };

  /** Resolves once something has been told since the time before. */
  async next(): Promise<void> {
    if (!this.#isTold) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#isTold = false;
  }
}
