import type { CompetitorName, EachGuard } from "../peers/competitor.js";
import type { Cell } from "./cell.js";
import type { Row, Scenario } from "./scenario.js";
import { cell, shareOf, type Volume } from "./volume.js";

const JOBS = 60_000;
const PARKED = 10_000;

type Ours = Extract<CompetitorName, "taskq" | "taskq-redis">;

/** What locks, limits and unique keys cost the jobs that have them, alone, behind many that wait, and those around them. */
export function gates(volume: Volume, competitor: Ours): Scenario {
  const of = (given: Partial<Cell>): Cell =>
    cell(volume, { competitor, kind: "process", jobs: JOBS, ...given });
  const plain = of({});
  const rows = (
    guard: EachGuard,
    [own, others]: readonly [own: string, others: string],
    peers: Partial<Row> = { reference: plain },
  ): Row[] => {
    const alone = of({ guard });
    const behind = of({ guard, parked: { guard, jobs: shareOf(volume, PARKED) } });
    return [
      { title: `  with ${own}`, ours: alone, ...peers },
      {
        title: `  with ${own}, ${others}`,
        ours: behind,
        target: { kind: "times", factor: 0.8, reference: alone },
      },
    ];
  };
  // All of its jobs have a group, of 1,000, in which one runs after the other.
  const groupmq = of({ competitor: "groupmq" });
  const inGroups: Partial<Row> =
    competitor === "taskq-redis"
      ? { groupmq, target: { kind: "times", factor: 1, reference: groupmq } }
      : { reference: plain };
  return {
    name: "gates",
    rows: [
      { title: "process, c = 10, plain jobs", ours: plain },
      { title: "  one in a hundred with a lock", ours: of({ guard: "few-locks" }), reference: plain },
      { title: "  one in a hundred with a unique key", ours: of({ guard: "few-keys" }), reference: plain },
      ...rows("lock", ["a lock each, of 1,000", "10,000 parked at another"], inGroups),
      ...rows("limit", ["a limit each, of 100", "10,000 parked at another"]),
      ...rows("unique", ["a unique key each", "10,000 parked with theirs"]),
      {
        title: "  with one and the same lock, 10,000 in its line",
        ours: of({ guard: "one-lock", jobs: PARKED }),
        reference: plain,
      },
    ],
  };
}
