/** The orders that jobs stand in. */

/** What decides whose turn it is. */
export interface Ordered {
  readonly priority: number;
  /** The instant it became due. */
  readonly due: number;
  /** Grows with every enqueue. */
  readonly order: number;
}

/** Whose turn comes first: the higher priority, then the earlier due, then the earlier enqueued. */
export function comesBefore(left: Ordered, right: Ordered): boolean {
  if (left.priority !== right.priority) return left.priority > right.priority;
  return isDueBefore(left, right);
}

/** What becomes due first. */
export function isDueBefore(left: Ordered, right: Ordered): boolean {
  return left.due === right.due ? left.order < right.order : left.due < right.due;
}
