/** What partitions may leave to the next call, asked for, so that both sides stand alike. */
import type { StepAnswer, StepRequest } from "@taskq/core/storage";
import type { Pair, World } from "../world.js";

/**
 * Partitions are looked at while runs are settled in them: what a settlement makes ready may be handed out by the next
 * claim, if the answer says that there is more. Answers `undefined` where that is not needed.
 */
export async function lateAnswer(
  world: World,
  request: StepRequest,
  { reference, tested }: Pair<StepAnswer>,
): Promise<StepAnswer | undefined> {
  const { claim, settled } = request;
  const missing = reference.claimed.length - tested.claimed.length;
  const mayBeLate = world.spread !== undefined && claim !== undefined && settled.length > 0;
  if (!mayBeLate || missing <= 0 || !tested.more) return undefined;
  const begin = claim.begin - tested.claimed.filter(({ begun }) => begun).length;
  const ahead = claim.begin + claim.ahead - tested.claimed.length - begin;
  const late = await world.storages.tested.step({
    ...request,
    request: world.nextRequest(request.owner),
    settled: [],
    begun: [],
    claim: { ...claim, begin, ahead },
  });
  return {
    ...late,
    settled: tested.settled,
    claimed: [...tested.claimed, ...late.claimed],
    revoked: [...tested.revoked, ...late.revoked],
    effects: [...tested.effects, ...late.effects],
  };
}
