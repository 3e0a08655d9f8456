/** What the parts of a claim share. */
import type { ClaimRequest, StepRequest } from "@taskq/core/storage";
import type { Move } from "./move.js";
import type { SeldomState } from "./open-queue.js";
import { internOwner } from "./owners.js";
import { AT_MOST_ONCE, FOLLOWER, GATED, NAMED, NEVER_AHEAD, TRUNKED, UNIQUE } from "./row.js";
import { nextFence } from "./turn.js";

/** Flags of rows that are looked at more closely before they run. */
export const SPECIAL: number = GATED | UNIQUE | TRUNKED | FOLLOWER | NAMED;
/** Flags of rows that are not claimed ahead. */
export const NOT_AHEAD: number = GATED | AT_MOST_ONCE | NEVER_AHEAD;

export interface Claiming {
  readonly move: Move;
  readonly request: StepRequest;
  readonly claim: ClaimRequest;
  readonly turn: Pick<Turn, "fence" | "owner">;
  readonly seldom: SeldomState;
}

/** By what the runs of one claim are known. Written when the first job is found: a claim that finds none writes nothing. */
export class Turn {
  private readonly move: Move;
  private readonly epoch: number;
  private readonly name: string;
  private drawn: number | undefined;
  private number: number | undefined;

  /** @param name of the owner */
  constructor(move: Move, epoch: number, name: string) {
    this.move = move;
    this.epoch = epoch;
    this.name = name;
  }

  /** 0: none was drawn. */
  get drawnFence(): number {
    return this.drawn ?? 0;
  }

  get fence(): number {
    const { scope, queue } = this.move;
    return (this.drawn ??= nextFence(scope.connection, queue, this.epoch, this.move.takeCompleted()));
  }

  get owner(): number {
    return (this.number ??= internOwner(this.move, this.name));
  }
}
