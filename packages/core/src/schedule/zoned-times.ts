import type { WallTimes } from "./wall-times.js";
import type { Zone, ZoneChange } from "./zone.js";

const hour = 3_600_000;
/** No zone has ever set its clocks by more than a day. */
const nearby = 26 * hour;

/** What happens to an expression when clocks change. */
export type ClockChangeRule =
  /** A skipped time runs once at the jump, a repeated one only the first time. */
  | "fixed"
  /** Whatever the clock shows, however often, and nothing that it does not show. */
  | "elapsed";

/** The first instant after `after` at which a clock of the zone shows one of the wall times. */
export function nextZonedTime(
  wallTimes: WallTimes,
  zone: Zone,
  rule: ClockChangeRule,
  after: number,
): number | undefined {
  let instant = after;
  let offset = zone.offsetAt(instant);
  let wallTime = startingWallTime(zone, rule, instant);
  for (;;) {
    const next = wallTimes(wallTime);
    if (next === undefined) return undefined;
    const candidate = next - offset;
    const far = candidate - instant > 4 * nearby;
    const change = zone.changeAfter(instant, far ? instant + nearby : candidate);
    if (change !== undefined) {
      if (rule === "fixed" && isSkipped(next, change)) return change.instant;
      wallTime = wallTimeAfter(change, rule);
      ({ instant, after: offset } = change);
    } else if (far) {
      // Changes on the way there neither skip nor repeat a wall time that is allowed, as there is none before `next`.
      instant = candidate - nearby;
      offset = zone.offsetAt(instant);
      wallTime = Math.max(wallTime, instant + offset);
    } else {
      return candidate;
    }
  }
}

/** A fixed time that was reached before the clocks were set back is not reached again. */
function startingWallTime(zone: Zone, rule: ClockChangeRule, instant: number): number {
  const wallTime = instant + zone.offsetAt(instant);
  if (rule === "elapsed") return wallTime;
  const change = zone.changeAfter(instant - nearby, instant);
  if (change === undefined || change.after > change.before) return wallTime;
  return Math.max(wallTime, wallTimeAfter(change, rule));
}

function isSkipped(wallTime: number, change: ZoneChange): boolean {
  return wallTime >= change.instant + change.before && wallTime < change.instant + change.after;
}

/** The last wall time that is done with when the clocks change. */
function wallTimeAfter({ instant, before, after }: ZoneChange, rule: ClockChangeRule): number {
  const offset = rule === "fixed" ? Math.max(before, after) : after;
  return instant + offset - 1;
}
