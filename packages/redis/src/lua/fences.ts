/**
 * Where fences stand by the server's time. They never stay behind it, and it runs faster than any queue hands them out: so those
 * that a server has lost, with the claims they were given for, are not given again.
 */

/** Fences begin at so many times the epoch. */
export const EPOCH: number = 2 ** 40;

/** 2026-01-01, and the milliseconds of an epoch of a queue that is made: six days. 139 years of them fit. */
const BEGAN = Date.UTC(2026, 0, 1);
const SPAN = 2 ** 29;

/** Lua for the epoch, and for what is counted on from in it, of an instant by the server's clock. */
export const epochAt = (instant: string): string => `math.floor((${instant} - ${BEGAN}) / ${SPAN})`;
export const countAt = (instant: string): string => `(${instant} - ${BEGAN}) % ${SPAN} * 1024`;

/** Lua for the last fence before an instant, counted on from an epoch that may be over. */
export const fenceBefore = (instant: string, epoch: string): string =>
  `(${epochAt(instant)} - ${epoch}) * ${EPOCH} + ${countAt(instant)}`;
