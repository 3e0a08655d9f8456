import { types } from "node:util";
import { errorData, isError } from "./error-data.js";
import type { Limits } from "./limits.js";
import { atLeastBytes, type Refusal, tooDeep } from "./refusal.js";

interface Inspection extends Limits {
  remaining: number;
  rich: boolean;
  /** Those that hold the value at hand. */
  readonly ancestors: Set<object>;
}

const whatTravels =
  "what travels is plain objects and arrays, texts, numbers, bigints, booleans, null, undefined, " +
  "Date, Uint8Array, Map, Set and Error";

/**
 * Whether JSON keeps the value, or only the rich format does, or why neither can.
 *
 * The path to a refused place is built on the way back from it, so that it costs nothing else.
 */
export function inspect(value: unknown, { maxSize, maxDepth }: Limits): "plain" | "rich" | Refusal {
  const inspection: Inspection = {
    maxSize,
    maxDepth,
    remaining: maxSize,
    rich: false,
    ancestors: new Set(),
  };
  return inspectValue(value, inspection) ?? (inspection.rich ? "rich" : "plain");
}

function inspectValue(value: unknown, inspection: Inspection): Refusal | undefined {
  inspection.remaining -= 1;
  switch (typeof value) {
    case "string":
      inspection.remaining -= value.length;
      break;
    case "number":
      if (!Number.isFinite(value) || Object.is(value, -0)) inspection.rich = true;
      break;
    case "undefined":
    case "bigint":
      inspection.rich = true;
      break;
    case "function":
      return refused(value.name === "" ? "is a function" : `is a function, ${short(value.name)}()`);
    case "symbol":
      return refused("is a symbol");
    case "object":
      if (value !== null) return inspectObject(value, inspection);
      break;
    case "boolean":
  }
  return sizeRefusal(inspection);
}

function sizeRefusal({ remaining, maxSize }: Inspection): Refusal | undefined {
  return remaining < 0 ? atLeastBytes(maxSize - remaining, maxSize) : undefined;
}

function inspectObject(object: object, inspection: Inspection): Refusal | undefined {
  if (isPlainObject(object)) return inspectContainer(object, inspectProperties, inspection);
  if (types.isDate(object) && isDateOfItsOwn(object)) {
    inspection.rich = true;
    return sizeRefusal(inspection);
  }
  if (types.isUint8Array(object)) {
    inspection.rich = true;
    inspection.remaining -= object.byteLength;
    return sizeRefusal(inspection);
  }
  return inspectContainer(object, inspectParts, inspection);
}

function inspectContainer<Container extends object>(
  object: Container,
  inspectInside: (object: Container, inspection: Inspection) => Refusal | undefined,
  inspection: Inspection,
): Refusal | undefined {
  const { ancestors, maxDepth } = inspection;
  if (ancestors.has(object)) return refused("is an object that it is itself a part of");
  if (ancestors.size === maxDepth) return tooDeep(maxDepth, []);
  ancestors.add(object);
  const refusal = sizeRefusal(inspection) ?? inspectInside(object, inspection);
  ancestors.delete(object);
  return refusal;
}

function inspectParts(object: object, inspection: Inspection): Refusal | undefined {
  if (Array.isArray(object) && isMadeBy(object, "Array")) return inspectArray(object, inspection);
  if (isError(object)) {
    inspection.rich = true;
    return inspectProperties(errorData(object), inspection);
  }
  if (types.isMap(object) && isMadeBy(object, "Map")) {
    inspection.rich = true;
    return (
      inspectMembers(object.keys(), "keys", inspection) ??
      inspectMembers(object.values(), "values", inspection)
    );
  }
  if (types.isSet(object) && isMadeBy(object, "Set")) {
    inspection.rich = true;
    return inspectMembers(object.values(), "values", inspection);
  }
  if (types.isPromise(object)) return refused("is a promise (is an await missing?)");
  return refused(`is an instance of ${short(classNameOf(object))}`);
}

function inspectArray(array: readonly unknown[], inspection: Inspection): Refusal | undefined {
  if (hasToJson(array)) return refused("has a toJSON method");
  for (let index = 0; index < array.length; index++) {
    const refusal =
      array[index] === undefined && !Object.hasOwn(array, index)
        ? refused("is a hole of a sparse array")
        : inspectValue(array[index], inspection);
    if (refusal !== undefined) return at(`[${index}]`, refusal);
  }
  return undefined;
}

function inspectProperties(object: object, inspection: Inspection): Refusal | undefined {
  for (const symbol of Object.getOwnPropertySymbols(object)) {
    if (Object.prototype.propertyIsEnumerable.call(object, symbol)) {
      return at(`[${String(symbol)}]`, refused("has a symbol for a key"));
    }
  }
  for (const key of Object.keys(object)) {
    if (key === "__proto__") return refused("has a key '__proto__'");
    inspection.remaining -= key.length;
    const refusal = inspectValue((object as Record<string, unknown>)[key], inspection);
    if (refusal !== undefined) return at(keyStep(key), refusal);
  }
  // An own, enumerable one was refused above, as a function.
  return hasToJson(object) ? refused("has a toJSON method") : undefined;
}

function inspectMembers(
  members: Iterable<unknown>,
  name: "keys" | "values",
  inspection: Inspection,
): Refusal | undefined {
  let index = 0;
  for (const member of members) {
    const refusal = inspectValue(member, inspection);
    if (refusal !== undefined) return at(`.${name}()[${index}]`, refusal);
    index += 1;
  }
  return undefined;
}

function refused(what: string): Refusal {
  return { code: "TASKQ_INPUT", reason: `${what}; ${whatTravels}`, path: [] };
}

function short(name: string): string {
  return name.length > 80 ? `${name.slice(0, 79)}…` : name;
}

function at(step: string, refusal: Refusal): Refusal {
  refusal.path?.unshift(step);
  return refusal;
}

function keyStep(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
}

/** One that has no class of its own. */
export function isPlainObject(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  if (prototype === null || prototype === Object.prototype) return true;
  // The Object.prototype of another realm, such as a vm context.
  return Object.getPrototypeOf(prototype) === null && isMadeBy(object, "Object");
}

/** By name, since a built-in of another realm is another object; a subclass has another name. */
function isMadeBy(object: object, name: string): boolean {
  return classNameOf(object) === name;
}

/** Of no class of the user's. A test's fake clock makes dates of a class that stands for Date, or says in each that Date made it. */
function isDateOfItsOwn(date: Date): boolean {
  return (
    isMadeBy(date, "Date") ||
    Object.getPrototypeOf(date) === Date.prototype ||
    (Object.hasOwn(date, "constructor") && date.constructor.name === "Date")
  );
}

function classNameOf(object: object): string {
  const prototype = Object.getPrototypeOf(object) as { readonly constructor?: unknown } | null;
  const maker = prototype?.constructor;
  return typeof maker === "function" && maker.name !== "" ? maker.name : "a class without a name";
}

function hasToJson(object: object): boolean {
  return typeof (object as { readonly toJSON?: unknown }).toJSON === "function";
}
