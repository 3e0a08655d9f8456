import { join } from "node:path";
import { startRole } from "../roles/start-role.js";
import { scratchFolder } from "../scratch-folder.js";
import type { Cell, Measurement } from "./cell.js";
import { measureConsuming } from "./measure-consuming.js";
import { measureRevoking } from "./measure-revoking.js";
import { measureBytes, measureEnqueue, produceInto } from "./measure-storing.js";

/** Measures a cell once, in a fresh folder, each role in a fresh process. @throws if not every job ran exactly once */
export async function measure(cell: Cell, directory: string): Promise<Measurement> {
  using folder = scratchFolder(directory);
  const path = join(folder.path, "queue.db");
  switch (cell.kind) {
    case "enqueue-awaited":
      return await measureEnqueue(cell, path, "awaited");
    case "enqueue-bulk":
      return await measureEnqueue(cell, path, "bulk");
    case "enqueue-tick":
      return await measureEnqueue(cell, path, "tick");
    case "stored-bytes":
      return await measureBytes(cell, path);
    case "process":
    case "memory": {
      const left = await parkInto(cell, path);
      await (await produceInto(cell, path, "bulk")).run();
      return await measureConsuming(cell, path, { left });
    }
    case "backlog":
      await (await produceInto({ ...cell, jobs: cell.backlog ?? 0 }, path, "bulk")).run();
      return await measureConsuming(cell, path, {});
    case "pipe":
      return await measureConsuming(cell, path, { mode: "server" });
    case "pickup":
      return await measureConsuming(cell, path, { mode: "paced" });
    case "round-trip":
      return await measureConsuming(cell, path, { mode: "round-trip" });
    case "due":
      return await measureConsuming(cell, path, { mode: "due" });
    case "revoke":
      return await measureRevoking(cell, path);
  }
}

/** Answers how many jobs are there that will not run. */
async function parkInto({ guard, parked }: Cell, path: string): Promise<number> {
  if (guard === undefined || parked === undefined) return 0;
  const role = startRole("park", { path, guard, jobs: parked });
  await role.ready;
  role.go();
  const answer = await role.answer;
  if (answer.parked !== parked) throw new Error(`${answer.parked} jobs were parked, not ${parked}`);
  return answer.parked + answer.active;
}
