import type { Protection } from "../peers/competitor.js";
import type { Cell } from "./cell.js";
import type { Row, Scenario } from "./scenario.js";
import { cell, type Volume } from "./volume.js";

/** What signing and encrypting cost: the same rows plain, signed and encrypted, against the plain one. */
export function signing(volume: Volume): Scenario {
  const rows = (title: string, given: Pick<Cell, "kind" | "jobs">): Row[] => {
    const of = (protection?: Protection): Cell =>
      cell(volume, {
        competitor: "taskq",
        ...given,
        ...(protection === undefined ? {} : { protection }),
      });
    const plain = of();
    return [
      { title: `${title}, plain`, ours: plain, reference: plain },
      { title: `${title}, signed`, ours: of("signed"), reference: plain },
      { title: `${title}, encrypted`, ours: of("encrypted"), reference: plain },
    ];
  };
  return {
    name: "signing",
    rows: [
      ...rows("enqueue, awaited", { kind: "enqueue-awaited", jobs: 100_000 }),
      ...rows("enqueue, bulk", { kind: "enqueue-bulk", jobs: 200_000 }),
      ...rows("process, c = 10", { kind: "process", jobs: 200_000 }),
    ],
  };
}
