import { startRole } from "../roles/start-role.js";
import type { Cell, Measurement } from "./cell.js";
import type { Place } from "./place.js";
import { rate } from "./measure-storing.js";

/** From just before a running job is revoked until its signal aborts in another process. */
export async function measureRevoking({ jobs }: Cell, { path }: Place): Promise<Measurement> {
  const runner = startRole("revoke-runner", { path });
  await runner.ready;
  runner.go();
  const revoker = startRole("revoker", { path, jobs });
  await revoker.ready;
  revoker.go();
  const { revokedAt } = await revoker.answer;
  runner.stop();
  const { abortedAt } = await runner.answer;
  const latencies = [...revokedAt].map(([id, from]) => {
    const at = abortedAt.get(id);
    if (at === undefined) throw new Error(`the signal of job ${id} did not abort`);
    return (at - from) / 1e6;
  });
  const from = Math.min(...revokedAt.values());
  const until = Math.max(...abortedAt.values());
  return { rate: rate(jobs, from, until), latencies, loopDelayP999: 0 };
}
