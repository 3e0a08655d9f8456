export const minute = 60_000;
export const hour = 60 * minute;
export const day = 24 * hour;

/** What a clock of a zone shows at an instant, as if its digits were UTC; asked of Intl each time. */
export type WallClock = (instant: number) => number;

export function wallClock(timeZone: string): WallClock {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  return (instant) => Date.parse(`${format.format(instant).replace(" ", "T")}Z`);
}

/** A change of clocks: the first minute with the new offset, and both offsets. */
export interface Transition {
  readonly instant: number;
  readonly before: number;
  readonly after: number;
}

/** Every change of clocks between two instants, by looking at every hour, then at every minute of an hour with one. */
export function transitions(clock: WallClock, from: number, to: number): Transition[] {
  const found: Transition[] = [];
  const offsetAt = (instant: number): number => clock(instant) - instant;
  let offset = offsetAt(from);
  for (let hourStart = from; hourStart < to; hourStart += hour) {
    if (offsetAt(hourStart + hour) === offset) continue;
    for (let instant = hourStart + minute; instant <= hourStart + hour; instant += minute) {
      const after = offsetAt(instant);
      if (after === offset) continue;
      if (clock(instant - 1000) !== instant - 1000 + offset || after % minute !== 0) {
        throw new Error(`a change that is not at a full minute: ${new Date(instant).toISOString()}`);
      }
      found.push({ instant, before: offset, after });
      offset = after;
    }
  }
  return found;
}
