/**
 * Columns as they are written. SQLite keeps whatever somebody else writes there: of another type, it counts for nothing, so
 * that one such row stops no step, and with it no other job.
 */

export function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

export function numberIfAny(value: unknown): number | null {
  return typeof value === "number" ? value : null;
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function textIfAny(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
