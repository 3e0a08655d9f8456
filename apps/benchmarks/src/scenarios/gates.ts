import type { Guard } from "../peers/competitor.js";
import type { Cell } from "./cell.js";
import type { Row, Scenario } from "./scenario.js";
import { cell, shareOf, type Volume } from "./volume.js";

const JOBS = 60_000;
const PARKED = 10_000;

/** What locks, limits and unique keys cost the jobs that have them, alone and behind many that wait. */
export function gates(volume: Volume): Scenario {
  const plain = cell(volume, { competitor: "taskq", kind: "process", jobs: JOBS });
  return {
    name: "gates",
    rows: [
      { title: "process, c = 10, plain jobs", ours: plain },
      ...rows(volume, plain, "lock", ["a lock each, of 1,000", "10,000 parked at another"]),
      ...rows(volume, plain, "limit", ["a limit each, of 100", "10,000 parked at another"]),
      ...rows(volume, plain, "unique", ["a unique key each", "10,000 parked with theirs"]),
      {
        title: "  with one and the same lock, 10,000 in its line",
        ours: cell(volume, { competitor: "taskq", kind: "process", guard: "one-lock", jobs: PARKED }),
        reference: plain,
      },
    ],
  };
}

function rows(
  volume: Volume,
  plain: Cell,
  guard: Guard,
  [own, others]: readonly [own: string, others: string],
): Row[] {
  const given = { competitor: "taskq", kind: "process", guard, jobs: JOBS } as const;
  const alone = cell(volume, given);
  const behind = cell(volume, { ...given, parked: shareOf(volume, PARKED) });
  return [
    { title: `  with ${own}`, ours: alone, reference: plain },
    {
      title: `  with ${own}, ${others}`,
      ours: behind,
      target: { kind: "times", factor: 0.8, reference: alone },
    },
  ];
}
