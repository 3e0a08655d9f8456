/** One thing that the demo shows, and whether it came out as it must. */
export interface Check {
  readonly what: string;
  readonly expected: string;
  readonly got: string;
  readonly ok: boolean;
}

/** Holds if what came reads as what was expected. */
export function check(what: string, expected: unknown, got: unknown): Check {
  return claim(what, String(expected), String(got), String(expected) === String(got));
}

/** Holds if `ok` says so. */
export function claim(what: string, expected: string, got: string, ok: boolean): Check {
  return { what, expected, got, ok };
}
