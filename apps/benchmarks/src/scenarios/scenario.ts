import type { Cell, ValueName } from "./cell.js";

/** Who has a column of the table beside ours. */
export type Peer = "plainjobs" | "liteque" | "bullmq" | "bee" | "groupmq" | "ceiling";

/** What a row is held to; those without are quoted. */
export type Target =
  /** Ours is at least so many times the reference. */
  | { readonly kind: "times"; readonly factor: number; readonly reference: Cell }
  /** Ours is at least so much. */
  | { readonly kind: "rate"; readonly atLeast: number }
  /** Milliseconds, both of them. */
  | { readonly kind: "latency"; readonly p50: number; readonly p99: number }
  /** Milliseconds, each of them. */
  | { readonly kind: "slowest"; readonly most: number }
  | { readonly kind: "at-most"; readonly value: ValueName; readonly most: number }
  | { readonly kind: "loop-delay"; readonly p999: number };

export const PEERS = ["plainjobs", "liteque", "bullmq", "bee", "groupmq", "ceiling"] satisfies Peer[];

/** One line of the table. */
export interface Row extends Readonly<Partial<Record<Peer, Cell>>> {
  readonly title: string;
  readonly ours: Cell;
  readonly target?: Target;
  /** What its ratio is to, where no target says so. @default the ceiling, or else the first peer */
  readonly reference?: Cell;
}

/** A group of rows that is measured together. */
export interface Scenario {
  readonly name: string;
  readonly rows: readonly Row[];
}

/** The cells of a scenario, each once, in the order of its rows. */
export function cellsOf(scenario: Scenario): readonly Cell[] {
  const cells = scenario.rows.flatMap(({ ours, target, ...row }) => {
    const reference = target?.kind === "times" ? target.reference : undefined;
    return [ours, ...PEERS.map((peer) => row[peer]), reference];
  });
  return [...new Set(cells.filter((cell) => cell !== undefined))];
}
