/** Milliseconds for which calls may follow each other without the event loop going round. */
const LONGEST_TURN = 4;
/** Calls that are over before a turn is worth timing: they may also be one each of many turns. */
const UNTIMED = 16;
/** Rows after which it is. */
const MANY_ROWS = 200;

/**
 * How long the event loop has been at one turn. A call that is answered at the end of what runs now is answered sooner than
 * after the next look for events; but whoever awaits one after the other would then keep all others waiting.
 */
export class LoopTurn {
  private calls = 0;
  private began: number | undefined;

  /** Asked before each call. */
  isLong(): boolean {
    this.calls += 1;
    if (this.calls < UNTIMED) return false;
    if (this.began !== undefined) return performance.now() - this.began > LONGEST_TURN;
    this.began = performance.now();
    setImmediate(this.end);
    return false;
  }

  /** A call has written so many rows. */
  wrote(rows: number): void {
    if (rows >= MANY_ROWS) this.calls = UNTIMED;
  }

  private readonly end = (): void => {
    this.calls = 0;
    this.began = undefined;
  };
}
