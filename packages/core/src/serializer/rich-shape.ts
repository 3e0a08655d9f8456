import type { Limits } from "./limits.js";
import { atLeastBytes, type Refusal, tooDeep } from "./refusal.js";

/** What the base64 of bytes begins with; devalue takes an empty text for "no bytes". */
export const bytesPrefix = "base64:";

// Negative references stand for values: undefined, NaN, Infinity, -Infinity, -0. -2 and -7 are the
// holes of sparse arrays, which we never write.
const sentinels: ReadonlySet<unknown> = new Set([-1, -3, -4, -5, -6]);
const dateText = /^(?:(?:\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)?$/;
const integerText = /^-?\d+$/;

/** A cell whose references are being followed. */
interface Visit {
  readonly index: number;
  readonly references: readonly number[];
  next: number;
  depth: number;
  /** How many values it unfolds to; one cell may be referred to many times. */
  count: number;
}

/**
 * What is wrong with a parsed rich text, if anything.
 *
 * A rich text is a list of cells that refer to each other by index, the first one being the value.
 * They are followed without recursion, each cell once, so that a hostile text can neither overflow
 * the stack nor unfold to more values than `maxSize`.
 */
export function richFault(parsed: unknown, { maxSize, maxDepth }: Limits): Refusal | undefined {
  if (sentinels.has(parsed)) return undefined;
  if (!Array.isArray(parsed) || parsed.length === 0) return malformed("it is no list of cells");
  try {
    // On the way to what may be there, at most every second cell holds nothing: the wrapper of an error or of bytes.
    const measured = measure(parsed, 2 * maxDepth + 2);
    if (measured === undefined || measured.depth > maxDepth) return tooDeep(maxDepth);
    const { count } = measured;
    return count > maxSize ? atLeastBytes(count, maxSize) : undefined;
  } catch (error) {
    if (error instanceof ShapeError) return malformed(error.message);
    throw error;
  }
}

class ShapeError extends Error {}

/** The refusal of a text that is not one of ours. */
export function malformed(why: string): Refusal {
  return { code: "TASKQ_INPUT", reason: `these bytes are no rich JSON of taskq: ${why}` };
}

/** `undefined`: cells hold each other more often than `levels`; the rest need not be looked at. */
function measure(cells: readonly unknown[], levels: number): Visit | undefined {
  const finished = new Map<number, Visit>();
  const open = new Set<number>([0]);
  const visits: Visit[] = [begin(cells, 0)];
  for (;;) {
    const visit = visits.at(-1) as Visit;
    const target = visit.references[visit.next];
    if (target === undefined) {
      visit.depth += isContainer(cells[visit.index]) ? 1 : 0;
      finished.set(visit.index, visit);
      open.delete(visit.index);
      visits.pop();
      if (visits.length === 0) return visit;
      continue;
    }
    const known = finished.get(target);
    if (known !== undefined || target < 0) {
      visit.depth = Math.max(visit.depth, known?.depth ?? 0);
      visit.count += known?.count ?? 1;
      visit.next += 1;
    } else {
      if (open.has(target)) throw new ShapeError(`cell ${target} is a part of itself`);
      if (visits.length === levels) return undefined;
      open.add(target);
      visits.push(begin(cells, target));
    }
  }
}

function begin(cells: readonly unknown[], index: number): Visit {
  const references = referencesOf(cells, cells[index]);
  return { index, references, next: 0, depth: 0, count: isWrapper(cells[index]) ? 0 : 1 };
}

/** Errors and bytes are one value, counted with the cell that holds their data. */
function isWrapper(cell: unknown): boolean {
  return Array.isArray(cell) && (cell[0] === "Error" || cell[0] === "Bytes");
}

function isContainer(cell: unknown): boolean {
  if (typeof cell !== "object" || cell === null) return false;
  // Dates, bigints and bytes hold nothing; an error is counted with the object of its properties.
  return !Array.isArray(cell) || typeof cell[0] !== "string" || /^(?:Map|Set|null)$/.test(cell[0]);
}

function referencesOf(cells: readonly unknown[], cell: unknown): number[] {
  if (typeof cell !== "object" || cell === null) return [];
  if (!Array.isArray(cell)) {
    refusePrototype(Object.keys(cell));
    return Object.values(cell).map((value) => reference(cells, value));
  }
  const [tag, ...parts] = cell as unknown[];
  if (typeof tag !== "string") return cell.map((value) => reference(cells, value));
  return taggedReferences(cells, tag, parts);
}

function taggedReferences(cells: readonly unknown[], tag: string, parts: unknown[]): number[] {
  switch (tag) {
    case "Map":
      refuseOdd(parts);
      return parts.map((value) => reference(cells, value));
    case "Set":
      return parts.map((value) => reference(cells, value));
    case "null":
      refuseOdd(parts);
      refusePrototype(parts.filter((_, index) => index % 2 === 0));
      return parts.filter((_, index) => index % 2 === 1).map((value) => reference(cells, value));
    case "Date":
      return textOnly(tag, parts, dateText);
    case "BigInt":
      return textOnly(tag, parts, integerText);
    case "Bytes":
      return [only(cells, tag, parts, (cell) => typeof cell === "string" && isBytesText(cell))];
    case "Error":
      return [only(cells, tag, parts, (cell) => isErrorData(cells, cell))];
    default:
      throw new ShapeError("it has a type that is never written");
  }
}

function reference(cells: readonly unknown[], value: unknown): number {
  if (typeof value === "number" && (value in cells || sentinels.has(value))) return value;
  throw new ShapeError("it refers to a cell that is not there");
}

function refuseOdd(parts: readonly unknown[]): void {
  if (parts.length % 2 !== 0) throw new ShapeError("a key has no value");
}

function refusePrototype(keys: readonly unknown[]): void {
  if (keys.includes("__proto__")) throw new ShapeError("it has a key '__proto__'");
  if (!keys.every((key) => typeof key === "string")) throw new ShapeError("a key is no text");
}

function textOnly(tag: string, parts: readonly unknown[], pattern: RegExp): number[] {
  const [text] = parts;
  if (parts.length === 1 && typeof text === "string" && pattern.test(text)) return [];
  throw new ShapeError(`a ${tag} is not as it is written`);
}

function only(
  cells: readonly unknown[],
  tag: string,
  parts: readonly unknown[],
  accepts: (cell: unknown) => boolean,
): number {
  const index = parts.length === 1 ? reference(cells, parts[0]) : -1;
  if (index >= 0 && accepts(cells[index])) return index;
  throw new ShapeError(`a ${tag} is not as it is written`);
}

function isBytesText(text: string): boolean {
  return text.startsWith(bytesPrefix);
}

function isErrorData(cells: readonly unknown[], cell: unknown): boolean {
  if (typeof cell !== "object" || cell === null || Array.isArray(cell)) return false;
  const { name, message, stack } = cell as Record<string, unknown>;
  const isText = (index: unknown): boolean => typeof index === "number" && typeof cells[index] === "string";
  return isText(name) && isText(message) && (stack === undefined || isText(stack));
}
