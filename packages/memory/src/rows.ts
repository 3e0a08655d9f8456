/** What is kept of a job and of a join. */
import type {
  AttemptRecord,
  EdgeCondition,
  GateVerdict,
  NewJob,
  NewJoin,
  NoteRecord,
  StoredState,
} from "@taskq/core/storage";
import type { Gate } from "./gate.js";
import type { HeapItem } from "./heap.js";

export type Row = JobRow | JoinRow;

/** What jobs and joins have in common: they end, and others wait for it. */
interface FlowRow extends HeapItem {
  readonly id: string;
  readonly enqueuedAt: number;
  /** The same for all rows of a flow, and of those that its jobs added. */
  flow: number;
  state: StoredState;
  finishedAt: number | undefined;
  reason: string | undefined;
  /** Set once it is final otherwise than completed. */
  broken: Broken | undefined;
  readonly dependents: Dependent[];
  /** What was broken because of this one; kept to be mended by a retry or a restore. */
  victims: Set<Row> | undefined;
  /** Error handlers that read this one without an edge to it. */
  readers: Set<JobRow> | undefined;
  /** The instant from which it may be purged. */
  keepUntil: number;
  /** It is not stored any more: its neighbours know its id and how it ended, and nothing else of it. */
  removed: boolean;
}

export interface JobRow extends FlowRow {
  readonly kind: "job";
  /** Replaced when a run is given back with other keys. */
  job: NewJob;
  readonly order: number;
  /** Same as the job's; at hand for the heaps. */
  readonly priority: number;
  due: number;
  /** The edges of the job, then those to flows that its sources added. */
  readonly edges: Edge[];
  /** Edges whose source is not final. */
  waitingFor: number;
  attempt: number;
  failures: number;
  crashes: number;
  /** Of the last claim; 0 before the first. */
  fence: number;
  /** Of the last settlement accepted. */
  settledFence: number;
  /** A run of it was reaped: it is not claimed ahead any more. */
  reaped: boolean;
  run: Run | undefined;
  owner: string | undefined;
  startedAt: number | undefined;
  /** The result or the error. */
  bytes: Uint8Array | undefined;
  /** Name of the gate that it is parked under. */
  gate: string | undefined;
  /** The gate that has let it go into `ready`, and keeps a place for it. */
  passing: Gate | undefined;
  /** Grows with every parking. */
  parkOrder: number;
  readonly attempts: AttemptRecord[];
  progress: NoteRecord | undefined;
  logs: NoteRecord[] | undefined;
}

export interface JoinRow extends FlowRow {
  readonly kind: "join";
  readonly mode: NewJoin["mode"];
  readonly named: boolean;
  readonly members: Row[];
  /** Ends of the flows that a member added, for which it waits too. */
  readonly added: Map<Row, Row[]>;
  /** Of these and the members, those that are not final. */
  waitingFor: number;
  /** Why it is to fail with the end of a member: what that added has ended before, and not completed. */
  foreseen: Broken | undefined;
}

/** The right of an owner to an active job. */
export interface Run {
  readonly fence: number;
  readonly owner: string;
  /** Length of the lease, in milliseconds. */
  lease: number;
  leaseUntil: number;
  readonly claimedAt: number;
  begun: boolean;
  startedAt: number | undefined;
  /** When its lease was first found to be over. */
  suspectSince: number | undefined;
  /** A user has revoked it. */
  revoked: boolean;
  readonly verdict: GateVerdict | undefined;
}

/** One thing that a job waits for. */
export interface Edge {
  readonly source: Row;
  readonly on: EdgeCondition;
}

/** The other end of an edge, or the join of which it is a member. */
export type Dependent =
  | { readonly target: JobRow; readonly on: EdgeCondition }
  | { readonly target: JoinRow; readonly member: Row };

/** Why something is not completed. */
export interface Broken {
  /** The job that did not complete by itself. */
  readonly root: Row;
  /** What the followers are told as reason. */
  readonly reason: string;
  /** Whether error handlers run because of it. */
  readonly failure: boolean;
}

/** Where and when a row is stored. */
export interface Stored {
  readonly flow: number;
  readonly order: number;
  readonly now: number;
}

/** A job as it is stored first: blocked, not placed anywhere yet. */
export function newJobRow(job: NewJob, { flow, order, now }: Stored): JobRow {
  return {
    kind: "job",
    id: job.id,
    job,
    flow,
    order,
    enqueuedAt: now,
    priority: job.priority,
    due: job.due,
    state: "blocked",
    edges: [],
    waitingFor: 0,
    dependents: [],
    attempt: 0,
    failures: 0,
    crashes: 0,
    fence: 0,
    settledFence: 0,
    reaped: false,
    run: undefined,
    owner: undefined,
    startedAt: undefined,
    finishedAt: undefined,
    bytes: undefined,
    reason: undefined,
    broken: undefined,
    victims: undefined,
    readers: undefined,
    gate: undefined,
    passing: undefined,
    parkOrder: 0,
    attempts: [],
    progress: undefined,
    logs: undefined,
    keepUntil: Infinity,
    removed: false,
    heapIndex: -1,
  };
}

/** A join as it is stored first. */
export function newJoinRow(join: NewJoin, members: Row[], { flow, now }: Omit<Stored, "order">): JoinRow {
  return {
    kind: "join",
    id: join.id,
    mode: join.mode,
    named: join.named === true,
    members,
    flow,
    enqueuedAt: now,
    state: "blocked",
    added: new Map(),
    waitingFor: 0,
    foreseen: undefined,
    dependents: [],
    finishedAt: undefined,
    reason: undefined,
    broken: undefined,
    victims: undefined,
    readers: undefined,
    keepUntil: Infinity,
    removed: false,
    heapIndex: -1,
  };
}
