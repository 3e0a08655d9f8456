/** What every object inherits from. */
const WATCHED: Readonly<Record<string, object>> = {
  Object,
  "Object.prototype": Object.prototype,
  "Array.prototype": Array.prototype,
  "Function.prototype": Function.prototype,
  "String.prototype": String.prototype,
  "Number.prototype": Number.prototype,
  "Boolean.prototype": Boolean.prototype,
  "Symbol.prototype": Symbol.prototype,
  "Date.prototype": Date.prototype,
  "Map.prototype": Map.prototype,
  "Set.prototype": Set.prototype,
  "Promise.prototype": Promise.prototype,
  "RegExp.prototype": RegExp.prototype,
  "Error.prototype": Error.prototype,
  "Uint8Array.prototype": Uint8Array.prototype,
};

/** Every property of theirs with its value, or what gets and sets it: a snapshot, to be compared with a later one. */
export function prototypes(): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [name, object] of Object.entries(WATCHED)) {
    found.set(`${name}.[[Prototype]]`, Object.getPrototypeOf(object));
    for (const key of Reflect.ownKeys(object)) {
      const descriptor: object = Object.getOwnPropertyDescriptor(object, key) ?? {};
      for (const [part, held] of Object.entries(descriptor))
        found.set(`${name}.${String(key)}, ${part}`, held);
    }
  }
  return found;
}
