/**
 * The keys of a queue, in the order in which every script declares them; what each holds: decisions/redis-layout.md.
 * Those of the short ways come first: they declare no others.
 */
export const KEY_NAMES = [
  "queue",
  "rows",
  "bodies",
  "ready",
  "scheduled",
  "listing",
  "wake",
  "active",
  "owners",
  "opening",
  "done",
  "gone",
  "kept",
  "expiry",
  "feed",
  "stories",
  "members",
  "flagged",
  "gates",
  "lines",
  "holds",
  "limits",
  "starts",
  "uniques",
  "later",
  "victims",
  "schedules",
  "awaited",
  "values",
  "memory",
  "stats",
  "minutes",
  "caps",
  "capMax",
  "arriving",
  "history",
] as const;

export type KeyName = (typeof KEY_NAMES)[number];
