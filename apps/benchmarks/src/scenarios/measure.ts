import { startRole } from "../roles/start-role.js";
import type { Cell, Measurement } from "./cell.js";
import { measureConsuming } from "./measure-consuming.js";
import { measureIdle } from "./measure-idle.js";
import { measureRevoking } from "./measure-revoking.js";
import { measureBytes, measureEnqueue, produceInto } from "./measure-storing.js";
import { openPlace, type Place } from "./place.js";

/** Measures a cell once, in a fresh place, each role in a fresh process. @throws if not every job ran exactly once */
export async function measure(cell: Cell, directory: string): Promise<Measurement> {
  await using place = await openPlace(cell.competitor, directory);
  switch (cell.kind) {
    case "enqueue-awaited":
      return await measureEnqueue(cell, place, "awaited");
    case "enqueue-bulk":
      return await measureEnqueue(cell, place, "bulk");
    case "enqueue-tick":
      return await measureEnqueue(cell, place, "tick");
    case "stored-bytes":
      return await measureBytes(cell, place);
    case "process":
    case "memory": {
      const left = await parkInto(cell, place);
      await (await produceInto(cell, place, "bulk")).run();
      return await measureConsuming(cell, place, { left });
    }
    case "backlog":
      await (await produceInto({ ...cell, jobs: cell.backlog ?? 0 }, place, "bulk")).run();
      return await measureConsuming(cell, place, {});
    case "pipe":
      return await measureConsuming(cell, place, { mode: "server" });
    case "pickup":
      return await measureConsuming(cell, place, { mode: "paced" });
    case "round-trip":
      return await measureConsuming(cell, place, { mode: "round-trip" });
    case "due":
      return await measureConsuming(cell, place, { mode: "due" });
    case "revoke":
      return await measureRevoking(cell, place);
    case "idle":
      return await measureIdle(cell, place);
  }
}

/** Answers how many jobs are there that will not run. */
async function parkInto({ parked }: Cell, { path }: Place): Promise<number> {
  if (parked === undefined) return 0;
  const { guard, jobs } = parked;
  const role = startRole("park", { path, guard, jobs });
  await role.ready;
  role.go();
  const answer = await role.answer;
  if (answer.parked !== jobs) throw new Error(`${answer.parked} jobs were parked, not ${jobs}`);
  return answer.parked + answer.active;
}
