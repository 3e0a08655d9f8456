/** One run of one job, from inside; types only. */
import type { ClaimedJob } from "../storage.js";
import type { JobHeaders } from "../vocabulary/enqueue-options.js";
import type { Resources } from "../vocabulary/resources.js";
import type { TaskContext } from "../vocabulary/task-and-job.js";
import type { Engine } from "./engine-types.js";
import type { BuiltFlow } from "./flow.js";
import type { Keeping } from "./notes.js";
import type { SignalSource } from "./signal-source.js";

/** What the one who executes lends to each run. */
export interface RunHost {
  /** Names the consumer. */
  readonly owner: string;
  /** Makes what `context.resources` holds; `undefined`: nothing. */
  readonly resources?: { readonly [name: string]: () => unknown } | undefined;
  /** Whether the process stays for the timeouts of its runs: else it may leave handlers behind, and nobody waits for those. */
  readonly stays?: boolean | undefined;
  /** Whether it also executes the jobs of that queue: a handler that waits for one could wait for ever. */
  readonly serves: (engine: Engine) => boolean;
}

/** What its handler is given as context, and what executing it keeps. */
export interface Run extends TaskContext {
  readonly engine: Engine;
  readonly claimed: ClaimedJob;
  readonly host: RunHost;
  /** Made when somebody asks for it. */
  readonly aborting: SignalSource;
  /** Why it was aborted, if it was. */
  readonly abortReason: Error | undefined;
  /** Flows that this run makes part of what follows it. */
  joined: BuiltFlow[] | undefined;
  /** Whether it has ended, or is no longer this consumer's: whatever its handler still does, it joins nothing more. */
  isOver: boolean;
  /** Whether its handler has really ended. */
  hasEnded: boolean;
  startedAt: number;
  /** The instant at which it times out. */
  deadlineAt: number | undefined;
  headersOfJob: JobHeaders | undefined;
  /** Of a job that a schedule made: the instant it stands for. */
  instant: number | undefined;
  lent: Resources;
  /** Of its progress; made when it tells of some. */
  readonly keeping: Keeping | undefined;
}
