import { TaskqError, type StorageContract } from "@taskq/core/storage";

const NO_ONE = new TaskqError("TASKQ_NOT_YET", "this storage keeps nothing");

/** A storage that accepts everything and keeps nothing: no promise about jobs may hold on it. */
export function emptyStorage(): StorageContract {
  const effects = [] as const;
  return {
    clock: { now: () => Date.now(), until: () => Promise.resolve() },
    namespace: "empty",
    open: async () => ({ epoch: 0, phase: "open" }),
    close: async () => {},
    enqueue: async ({ flows }) => ({
      flows: flows.map(({ end }) => ({ status: "stored", id: end, state: "ready" })),
      effects,
    }),
    step: async ({ settled }) => ({
      settled: settled.map(() => "lost" as const),
      claimed: [],
      more: false,
      nextDue: undefined,
      revoked: [],
      effects,
    }),
    renew: async ({ now, lease, runs }) => ({ leaseUntil: (now ?? 0) + lease, lost: runs, revoked: [] }),
    reap: async () => ({ reaped: [], effects, nextAt: undefined }),
    amend: async () => ({ changed: [], effects }),
    control: async () => ({ changed: false, paused: false, revoked: false }),
    tick: async () => ({ status: "removed", lastAt: undefined, flows: [], effects }),
    schedules: async () => ({ changed: false, schedules: [] }),
    read: async ({ ids }) => ids.map(() => undefined),
    list: async () => ({ records: [], after: undefined }),
    explain: async ({ ids }) => ids.map((id) => ({ id, state: "unknown", task: undefined, causes: [] })),
    counts: async () => ({}),
    note: async () => false,
    notes: async () => [],
    values: async ({ operations }) => operations.map(() => ({ kind: "none" })),
    keys: async () => ({ status: "none", fence: undefined, expiresAt: undefined, holders: [] }),
    take: () => Promise.reject(NO_ONE),
    watch: () => () => {},
    stats: () => Promise.reject(NO_ONE),
    events: () => Promise.reject(NO_ONE),
    export: () => Promise.reject(NO_ONE),
    import: () => Promise.reject(NO_ONE),
    phase: async () => "open",
    purge: async () => ({ removed: 0, more: false }),
  };
}
