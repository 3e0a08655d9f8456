/** A value now, or a promise of it: enqueue stays synchronous where schema and middleware are. */
export type MaybePromise<Value> = Value | Promise<Value>;

/** Goes on with the value, at once where there is one. */
export function whenReady<Value, Next>(
  value: MaybePromise<Value>,
  next: (value: Value) => MaybePromise<Next>,
): MaybePromise<Next> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Works through the items one after the other, and waits only where one of them is not ready at once. */
export function inTurn<Item>(
  items: readonly Item[],
  work: (item: Item) => MaybePromise<void>,
  from: number = 0,
): MaybePromise<void> {
  for (let index = from; index < items.length; index += 1) {
    const done = work(items[index] as Item);
    if (done instanceof Promise) return done.then(() => inTurn(items, work, index + 1));
  }
}
