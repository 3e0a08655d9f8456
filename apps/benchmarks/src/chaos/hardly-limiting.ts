import type { Storage } from "@taskq/core";
import type { NewFlow, NewGate } from "@taskq/core/storage";
import { changedStorage } from "./changed-storage.js";

/** A storage that forgets the starts of every limit within a millisecond. Only to show that the harness notices. */
export function hardlyLimiting(storage: Storage): Storage {
  return changedStorage(storage, (contract) => ({
    enqueue: (request) => contract.enqueue({ ...request, flows: request.flows.map(forgetful) }),
  }));
}

function forgetful(flow: NewFlow): NewFlow {
  return { ...flow, jobs: flow.jobs.map((job) => ({ ...job, gates: job.gates?.map(shortened) })) };
}

function shortened(gate: NewGate): NewGate {
  return gate.kind === "limit" ? { ...gate, per: 1 } : gate;
}
