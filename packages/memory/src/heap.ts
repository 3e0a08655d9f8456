/** What a heap can hold: an item knows its place, so that it can be taken out from anywhere. */
export interface HeapItem {
  /** Its place in the one heap that holds it; -1 in none. */
  heapIndex: number;
}

/** A binary heap: the first item by an order at once, every change in logarithmic time. */
export class Heap<Item extends HeapItem> {
  readonly #items: Item[] = [];
  readonly #before: (left: Item, right: Item) => boolean;

  /** @param before Whether the left one comes first; a strict order. */
  constructor(before: (left: Item, right: Item) => boolean) {
    this.#before = before;
  }

  get size(): number {
    return this.#items.length;
  }

  /** All items, in no particular order. */
  get items(): readonly Item[] {
    return this.#items;
  }

  peek(): Item | undefined {
    return this.#items[0];
  }

  push(item: Item): void {
    item.heapIndex = this.#items.length;
    this.#items.push(item);
    this.#rise(item);
  }

  pop(): Item | undefined {
    const first = this.#items[0];
    if (first !== undefined) this.remove(first);
    return first;
  }

  has(item: Item): boolean {
    return this.#items[item.heapIndex] === item;
  }

  /** Takes an item out; `false`: it was not here. */
  remove(item: Item): boolean {
    const index = item.heapIndex;
    if (this.#items[index] !== item) return false;
    const last = this.#items.pop();
    item.heapIndex = -1;
    if (last === undefined || last === item) return true;
    this.#put(last, index);
    this.#rise(last);
    this.#sink(last);
    return true;
  }

  /** How many items come before this one; looks at all of them. */
  countBefore(item: Item): number {
    return this.#items.reduce((sum, other) => (this.#before(other, item) ? sum + 1 : sum), 0);
  }

  #put(item: Item, index: number): void {
    this.#items[index] = item;
    item.heapIndex = index;
  }

  #rise(item: Item): void {
    let index = item.heapIndex;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#items[above];
      if (parent === undefined || !this.#before(item, parent)) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(item, index);
  }

  #sink(item: Item): void {
    let index = item.heapIndex;
    for (;;) {
      const child = this.#firstChild(index);
      if (child === undefined || !this.#before(child, item)) break;
      const below = child.heapIndex;
      this.#put(child, index);
      index = below;
    }
    this.#put(item, index);
  }

  #firstChild(index: number): Item | undefined {
    const left = this.#items[2 * index + 1];
    const right = this.#items[2 * index + 2];
    if (left === undefined || right === undefined) return left;
    return this.#before(right, left) ? right : left;
  }
}
