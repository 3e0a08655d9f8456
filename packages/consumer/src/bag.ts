/** What lies in a bag knows its place, so that nothing is hashed. */
export interface InBag {
  /** Written by the bag alone; -1 outside of it. */
  place: number;
}

/** Things in no order, each in one bag at most; added and taken out in a moment, and without garbage. */
export class Bag<Thing extends InBag> implements Iterable<Thing> {
  readonly #things: Thing[] = [];

  get size(): number {
    return this.#things.length;
  }

  add(thing: Thing): void {
    thing.place = this.#things.length;
    this.#things.push(thing);
  }

  delete(thing: Thing): void {
    if (this.#things[thing.place] !== thing) return;
    const last = this.#things.pop();
    if (last !== undefined && last !== thing) {
      this.#things[thing.place] = last;
      last.place = thing.place;
    }
    thing.place = -1;
  }

  clear(): void {
    for (const thing of this.#things) thing.place = -1;
    this.#things.length = 0;
  }

  /** Those that are there now, whatever is added or taken out meanwhile. */
  [Symbol.iterator](): Iterator<Thing> {
    return [...this.#things].values();
  }
}
