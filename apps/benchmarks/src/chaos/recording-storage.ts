import type { Storage } from "@taskq/core";
import type { StepAnswer, StepRequest } from "@taskq/core/storage";
import { changedStorage } from "./changed-storage.js";
import type { Recorder } from "./recorder.js";

/** Writes down what a storage answers about jobs with gates: when they were claimed, given back, and taken from the dead. */
export function recordingStorage(storage: Storage, recorder: Recorder): Storage {
  return changedStorage(storage, (contract) => ({
    async step(request) {
      const askedAt = Date.now();
      const answer = await contract.step(request);
      recordClaims(recorder, request, answer, askedAt);
      return answer;
    },
    async reap(request) {
      const answer = await contract.reap(request);
      for (const run of answer.reaped) recorder.reaped(run);
      return answer;
    },
  }));
}

function recordClaims(recorder: Recorder, request: StepRequest, answer: StepAnswer, askedAt: number): void {
  for (const [index, { id, fence, outcome }] of request.settled.entries()) {
    const gaveBack = outcome.kind === "released" && answer.settled[index] === "applied";
    if (gaveBack) recorder.released({ id, fence });
  }
  const answeredAt = Date.now();
  for (const claimed of answer.claimed) {
    if ((claimed.guards?.gates.length ?? 0) === 0) continue;
    // The start of a run, as the storage counts it: its own clock when it made the claim.
    const at = claimed.leaseUntil - (request.claim?.lease ?? 0);
    recorder.claimed(claimed, { at, askedAt, answeredAt });
  }
}
