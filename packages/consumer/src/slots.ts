/** The workers of a consumer, shared by its queues: each slot executes one job at a time. */

/** A queue's part of a consumer, which waits in line when every slot is taken. */
export interface SlotUser {
  /** It was given a slot, and uses it or gives it back. */
  slotGranted(): void;
}

export class Slots {
  readonly size: number;
  readonly #line = new Set<SlotUser>();
  #free: number;

  constructor(size: number) {
    this.size = size;
    this.#free = size;
  }

  get free(): number {
    return this.#free;
  }

  /** Whether another queue waits for a slot. */
  isWantedBesides(user: SlotUser): boolean {
    return this.#line.size > 1 || (this.#line.size === 1 && !this.#line.has(user));
  }

  /** Takes as many as are free, at most `wanted`; without any, the user waits in line for one. */
  take(user: SlotUser, wanted: number): number {
    const taken = Math.min(wanted, this.#free);
    this.#free -= taken;
    if (taken === 0 && wanted > 0) this.#line.add(user);
    else this.#line.delete(user);
    return taken;
  }

  /** Gives slots back, to those in line first, one each. */
  give(count: number): void {
    this.#free += count;
    for (const user of this.#line) {
      if (this.#free === 0) return;
      this.#line.delete(user);
      this.#free -= 1;
      user.slotGranted();
    }
  }
}
