/** Whether it is to be waited for: a library may bring a promise of its own, and so may another realm. */
export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return value instanceof Promise || (typeof value === "object" && value !== null && "then" in value);
}
