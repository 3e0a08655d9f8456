/** What the parts of a claim share. */
import type { ClaimRequest, StepRequest } from "@taskq/core/storage";
import type { Move } from "./move.js";
import type { SeldomState } from "./open-queue.js";
import { AT_MOST_ONCE, FOLLOWER, GATED, NAMED, NEVER_AHEAD, TRUNKED, UNIQUE } from "./row.js";

/** Flags of rows that are looked at more closely before they run. */
export const SPECIAL: number = GATED | UNIQUE | TRUNKED | FOLLOWER | NAMED;
/** Flags of rows that are not claimed ahead. */
export const NOT_AHEAD: number = GATED | AT_MOST_ONCE | NEVER_AHEAD;

export interface Claiming {
  readonly move: Move;
  readonly request: StepRequest;
  readonly claim: ClaimRequest;
  readonly fence: number;
  readonly owner: number;
  readonly seldom: SeldomState;
}
