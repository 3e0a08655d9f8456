import { TaskqError, type TaskqErrorCode } from "./errors.js";
import { isPromise } from "./is-promise.js";

/** A value as an error message shows it: short, on one line, and never throwing. */
export function shown(value: unknown): string {
  if (typeof value === "string") {
    const isLong = value.length > 80;
    // As JSON, so that line breaks and control characters are seen.
    const short = JSON.stringify(isLong ? `${value.slice(0, 77)}...` : value);
    const quoted = `'${short.slice(1, -1).replaceAll(String.raw`\"`, '"')}'`;
    return isLong ? `${quoted}, ${value.length} characters` : quoted;
  }
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return "a function";
  if (typeof value === "object") return shownObject(value);
  return typeof value === "symbol" ? "a symbol" : `${value as number | boolean | undefined}`;
}

function shownObject(value: object | null): string {
  if (value === null) return "null";
  try {
    if (value instanceof Date) {
      return Number.isNaN(value.getTime()) ? "an invalid Date" : value.toISOString();
    }
    if (value instanceof Promise) return "a promise";
    const kind = namelessKind(value);
    if (kind !== undefined) return `an instance of ${kind}`;
    const json = JSON.stringify(value);
    if (json.length <= 80) return json;
    return Array.isArray(value) ? "an array" : "an object";
  } catch {
    return arrayOrObject(value);
  }
}

/** Of what refuses to be looked at, such as a cycle by JSON, a getter that throws or a Proxy that is revoked. */
function arrayOrObject(value: object): string {
  try {
    return Array.isArray(value) ? "an array" : "an object";
  } catch {
    return "an object";
  }
}

/** An object that says nothing as JSON, such as a Map, a promise or a signal: of what kind it is. */
function namelessKind(value: object): string | undefined {
  if (Object.keys(value).length > 0) return undefined;
  const kind = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return ["Object", "Array", "Module"].includes(kind) || !/^\w{1,40}$/.test(kind) ? undefined : kind;
}

/** Whether it keeps nothing under names of its own by what it is: options in it would not be found. */
export function isNameless(value: object): boolean {
  return namelessKind(value) !== undefined;
}

/** The error for a value that is not what an option asks for. */
export function unexpected(
  what: string,
  expected: string,
  came: unknown,
  code: TaskqErrorCode = "TASKQ_OPTION",
): TaskqError {
  return new TaskqError(code, `${what}: expected ${expected}, got ${shown(came)}`);
}

/** The same for what may hold a secret or a job's input: of texts and objects it tells what they are, not what they say. */
export function unexpectedSecret(what: string, expected: string, came: unknown): TaskqError {
  return new TaskqError("TASKQ_OPTION", `${what}: expected ${expected}, got ${kindOf(came)}`);
}

function kindOf(value: unknown): string {
  if (typeof value === "string") return `a text of ${value.length} characters`;
  if (Array.isArray(value)) return "an array";
  if (isPromise(value)) return "a promise";
  return typeof value === "object" && value !== null ? "an object" : shown(value);
}

/**
 * Refuses what is no plain object, or has keys beside the known ones.
 *
 * @throws `TASKQ_OPTION`, or the code given
 */
export function refuseUnknown(
  options: unknown,
  known: readonly string[],
  what: string,
  code: TaskqErrorCode = "TASKQ_OPTION",
): void {
  const names = known.map((name) => `'${name}'`).join(", ");
  const keys = keysOf(options);
  if (keys === undefined) throw unexpected(what, `an object with ${names}`, options, code);
  for (const key of keys) {
    if (!known.includes(key)) {
      throw new TaskqError(code, `${what}: unknown option '${key}'; known are ${names}`);
    }
  }
}

/** `undefined`: it is no plain object, or refuses to be looked at, as a Proxy that is revoked. */
function keysOf(options: unknown): readonly string[] | undefined {
  try {
    if (typeof options !== "object" || options === null || Array.isArray(options)) return undefined;
    return isNameless(options) ? undefined : Object.keys(options);
  } catch {
    return undefined;
  }
}

/** The bounds of a number; both ends belong to it. */
export interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** The value, if it is an integer within the bounds. @throws `TASKQ_OPTION` */
export function integer(value: unknown, what: string, bounds: Bounds = {}): number {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = bounds;
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) {
    // Storages would tell -0 as what they make of it.
    return value === 0 ? 0 : value;
  }
  throw unexpected(what, `an integer${boundsText(bounds)}`, value);
}

/** The value, if it is a finite number within the bounds. @throws `TASKQ_OPTION` */
export function finiteNumber(value: unknown, what: string, bounds: Bounds = {}): number {
  const { min = -Infinity, max = Infinity } = bounds;
  if (typeof value === "number" && Number.isFinite(value) && value >= min && value <= max) {
    return value;
  }
  throw unexpected(what, `a number${boundsText(bounds)}`, value);
}

function boundsText({ min, max }: Bounds): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  return max === undefined ? "" : ` of at most ${max}`;
}

/** The value, if it is one of the texts. @throws `TASKQ_OPTION` */
export function oneOf<const Choice extends string>(
  value: unknown,
  choices: readonly Choice[],
  what: string,
): Choice {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw unexpected(what, choices.map((choice) => `'${choice}'`).join(" or "), value);
}

/** The value, if it is `true` or `false`. @throws `TASKQ_OPTION` */
export function flag(value: unknown, what: string): boolean {
  if (typeof value === "boolean") return value;
  throw unexpected(what, "true or false", value);
}

/** The value, if it is a text that is not empty. @throws `TASKQ_OPTION` */
export function text(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw unexpected(what, "a text that is not empty", value);
}

/** Halves of characters, which become one and the same in a storage. */
export const BROKEN: RegExp = /\p{Cs}/u;

/** The value, if it is a text of some characters, all of them whole. @throws `TASKQ_OPTION` */
export function shortText(value: unknown, longest: number, what: string): string {
  if (typeof value !== "string" || value === "" || value.length > longest)
    throw unexpected(what, `a text of 1 to ${longest} characters`, value);
  if (BROKEN.test(value)) throw unexpected(what, "a text of whole characters", value);
  return value;
}

/** The value, if it is a function. @throws `TASKQ_OPTION` */
export function callable<Function extends (...args: never) => unknown>(
  value: Function,
  what: string,
): Function {
  if (typeof value === "function") return value;
  throw unexpected(what, "a function", value);
}

/** The value, if it is a signal, or none is given. @throws `TASKQ_OPTION` */
export function abortSignal(value: AbortSignal | undefined, what: string): AbortSignal | undefined {
  if (value === undefined || value instanceof AbortSignal) return value;
  throw unexpected(what, "an AbortSignal", value);
}
