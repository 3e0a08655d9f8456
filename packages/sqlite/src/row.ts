import { joinId, splitId, type GateVerdict, type StoredState } from "@taskq/core/storage";
import { isMeta } from "./meta-shape.js";
import { number, numberIfAny, text, textIfAny } from "./columns.js";

/** States as the rows have them. */
export const READY = 0;
export const SCHEDULED = 1;
export const BLOCKED = 2;
export const PARKED = 3;
export const ACTIVE = 4;
export const COMPLETED = 5;
export const FAILED = 6;
export const CANCELLED = 7;
export const EXPIRED = 8;
export const SKIPPED = 9;
export const QUARANTINED = 10;
/** Of a row into which somebody has written what is no state: it counts as quarantined, and is in no index by which it would be found. */
export const DAMAGED = 11;

/** By number. */
export const STATES: readonly StoredState[] = [
  "ready",
  "scheduled",
  "blocked",
  "parked",
  "active",
  "completed",
  "failed",
  "cancelled",
  "expired",
  "skipped",
  "quarantined",
];

/** A state as it is written. */
export function stateOf(value: unknown): number {
  return typeof value === "number" && value in STATES ? value : DAMAGED;
}

export function stateName(state: number): StoredState {
  return STATES[state] ?? "quarantined";
}

export function isFinalState(state: number): boolean {
  return state >= COMPLETED;
}

/** What a row's `flags` say. The lowest eight: settling it touches more than its own row. */
export const FOLLOWED = 1;
export const GATED = 2;
export const UNIQUE = 4;
export const REVOKED = 8;
export const VERDICT = 16;
/** Its task keeps no more than so many final jobs. */
export const CAPPED = 32;
export const NAMED = 256;
/** All of those. */
export const HUNG_ON = 511;
export const AT_MOST_ONCE = 512;
/** Claimed ahead, not begun. */
export const UNBEGUN = 1024;
export const NEVER_AHEAD = 2048;
/** Its body stands apart; see `bodies`. */
export const APART = 4096;
export const ATTEMPTED = 8192;
export const NOTED = 16_384;
export const KEPT = 32_768;
export const JOIN = 65_536;
/** It has edges that lead to it. */
export const FOLLOWER = 131_072;
/** It leads to a join, which its `trunk` names. */
export const TRUNKED = 262_144;
/** Of a join: mode `settled`. */
export const ALL_OUTCOMES = 524_288;

/** The key of a row where it is not on the hot path: its 63 bits in decimal digits, which SQLite takes for the number. */
export type Key = string;

/** The key of an id's parts. */
export function keyOf(time: number, low: number): Key {
  return ((BigInt(time) << 21n) | BigInt(low)).toString();
}

/** A row without its bytes. */
export interface Row {
  readonly key: Key;
  readonly time: number;
  readonly low: number;
  readonly random: number;
  state: number;
  priority: number;
  due: number;
  readonly task: string;
  flags: number;
  attempt: number;
  failures: number;
  crashes: number;
  /** Of the last claim; negative once that run was taken away. */
  fence: number;
  /** Of the last settlement that gave the job back. */
  readonly settled: number | null;
  owner: number | null;
  readonly enqueued: number | null;
  readonly expires: number | null;
  started: number | null;
  ended: number | null;
  later: number | null;
  gate: string | null;
  pending: number | null;
  trunk: Key | null;
  reason: string | null;
  cause: string | null;
  meta: string | null;
}

/** What `Row` is read by. */
export const ROW_COLUMNS: string =
  "CAST(key AS TEXT) AS key, key >> 21 AS time, key & 2097151 AS low, random, state, priority, due, task, flags, " +
  "attempt, failures, crashes, fence, settled, owner, enqueued, expires, started, ended, later, gate, pending, " +
  "CAST(trunk AS TEXT) AS trunk, reason, cause, meta";

/** A row as SQLite hands it over in the order of `ROW_COLUMNS`: as an object of its making, it takes nearly twice as long. */
export type RowValues = readonly [
  key: Key,
  time: number,
  low: number,
  random: number,
  state: number,
  priority: number,
  due: number,
  task: string,
  flags: number,
  attempt: number,
  failures: number,
  crashes: number,
  fence: number,
  settled: number | null,
  owner: number | null,
  enqueued: number | null,
  expires: number | null,
  started: number | null,
  ended: number | null,
  later: number | null,
  gate: string | null,
  pending: number | null,
  trunk: Key | null,
  reason: string | null,
  cause: string | null,
  meta: string | null,
];

export function rowOf(values: RowValues): Row {
  const state = stateOf(values[4]);
  return {
    key: values[0],
    time: values[1],
    low: values[2],
    random: number(values[3]),
    state,
    priority: number(values[5]),
    due: number(values[6]),
    task: text(values[7]),
    flags: number(values[8]),
    attempt: number(values[9]),
    failures: number(values[10]),
    crashes: number(values[11]),
    fence: number(values[12]),
    settled: numberIfAny(values[13]),
    owner: numberIfAny(values[14]),
    enqueued: numberIfAny(values[15]),
    expires: numberIfAny(values[16]),
    started: numberIfAny(values[17]),
    ended: numberIfAny(values[18]),
    later: numberIfAny(values[19]),
    gate: textIfAny(values[20]),
    pending: numberIfAny(values[21]),
    trunk: values[22],
    reason: state === DAMAGED ? "damaged" : textIfAny(values[23]),
    cause: textIfAny(values[24]),
    meta: textIfAny(values[25]),
  };
}

/** What most jobs have none of. */
export interface Meta {
  /** The id, where it is not made of the key. */
  readonly name?: string;
  readonly gates?: readonly MetaGate[];
  readonly unique?: { readonly key: string; readonly until: "started" | "final" | number };
  /** Ids of its edges' sources, as enqueued. */
  readonly after?: readonly string[];
  readonly keep?: MetaKeep;
  /** The gate for which it was handed over with a verdict. */
  readonly verdict?: GateVerdict;
}

export interface MetaKeep {
  readonly completed?: number;
  readonly failed?: number;
  readonly completedMax?: number;
  readonly failedMax?: number;
}

export interface MetaGate {
  readonly kind: "lock" | "concurrency" | "limit";
  readonly key: string;
  readonly max: number;
  /** Of a limit. */
  readonly per?: number;
  readonly onBusy: "wait" | "skip" | "drop" | "fail";
}

const NOTHING: Meta = {};

/**
 * Of a row that somebody has written into, nothing: its bytes say the same, so that its consumer finds the difference and
 * puts it aside, and no other job waits for it.
 */
export function metaOf(row: { readonly meta: string | null }): Meta {
  if (row.meta === null) return NOTHING;
  try {
    const meta: unknown = JSON.parse(row.meta);
    return isMeta(meta) ? (meta as Meta) : NOTHING;
  } catch {
    return NOTHING;
  }
}

/** The public id of a row. */
export function idOf(row: {
  readonly time: number;
  readonly low: number;
  readonly random: number;
  readonly meta: string | null;
}): string {
  return (row.meta === null ? undefined : metaOf(row).name) ?? joinId(row);
}

export function enqueuedAt(row: { readonly enqueued: number | null; readonly time: number }): number {
  return row.enqueued ?? row.time;
}

/** The key within a generated id; `undefined` for another. */
export function keyOfId(id: string): { readonly key: Key; readonly random: number } | undefined {
  const parts = splitId(id);
  return parts && { key: keyOf(parts.time, parts.low), random: parts.random };
}

/**
 * A gate as callers read it: locks and concurrency keys by their key, other lines by their whole name; so is a key
 * that could be taken for such a name.
 */
export function gateLabel(name: string): string {
  return name.replace(/^(?:lock|concurrency):(?!(?:lock|concurrency|limit|task|pause|unique|schedule):)/, "");
}

/** The key of a lock, a concurrency key or a limit. */
export function gateKey(name: string): string {
  return name.replace(/^(?:lock|concurrency|limit):/, "");
}

/** Whether places at a gate are held or kept; of the other kinds, only the line is used. */
export function hasHolders(gate: string | null): gate is string {
  return gate !== null && /^(?:lock|concurrency|limit):/.test(gate);
}
