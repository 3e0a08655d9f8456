/**
 * The contract between core and a storage: for authors of storages.
 *
 * A storage executes whole transitions. It sees bytes, names, numbers and instants (epoch milliseconds), never a
 * task's type or a policy. Every mutating call may be repeated, by its ids, fences or operation name, and then
 * answers as before. Each line that begins with "Promise:" is, word for word, the title of a test in
 * `@taskq/conformance`, and `pnpm check` compares the two lists.
 */
import type { Clock } from "./clock.js";
import { TaskqError } from "./errors.js";
import type { EventsAnswer, EventsRequest } from "./storage/feed.js";
import type { WatchHint, WatchOptions } from "./storage/hints.js";
import type {
  EnqueueAnswer,
  EnqueueCollision,
  EnqueueRequest,
  FinalState,
  StoredState,
} from "./storage/flow.js";
import type {
  AmendAnswer,
  AmendRequest,
  ControlAnswer,
  ControlRequest,
  KeysAnswer,
  KeysRequest,
  NoteRequest,
  SchedulesAnswer,
  SchedulesRequest,
  TakeAnswer,
  TakeRequest,
  TickAnswer,
  TickRequest,
  ValueAnswer,
  ValuesRequest,
} from "./storage/operation.js";
import type {
  ExportAnswer,
  ExportRequest,
  ImportAnswer,
  ImportRequest,
  QueuePhase,
} from "./storage/moving.js";
import type {
  ExplainFact,
  ListAnswer,
  ListRequest,
  NoteRecord,
  ReadRequest,
  StoredCounts,
  StoredRecord,
} from "./storage/record.js";
import type { StatsAnswer, StatsRequest } from "./storage/statistics.js";
import type {
  ReapAnswer,
  ReapRequest,
  RenewAnswer,
  RenewRequest,
  StepAnswer,
  StepRequest,
} from "./storage/step.js";

export { createIdMaker, joinId, splitId } from "./id.js";
export type { IdMaker, IdParts } from "./id.js";
export {
  checkFeedStart,
  checkFeedTime,
  feedCursor,
  feedNumber,
  feedPosition,
  feedTag,
} from "./feed-cursor.js";
export type { FeedBounds } from "./feed-cursor.js";
export { systemClock } from "./clock.js";
export { TaskqError } from "./errors.js";
export { isMetByAll, metByAll } from "./met-by-all.js";
export { later, nextTick } from "./soon.js";
export { placeOfGone } from "./storage/after.js";
export type * from "./storage/feed.js";
export { Hints, type CompletedJob, type WatchHint, type WatchOptions } from "./storage/hints.js";
export { Histogram } from "./storage/histogram.js";
export type { HistogramData } from "./storage/histogram.js";
export { LoopTurn } from "./storage/loop-turn.js";
export { GatheredStats, STATS_KEPT, STATS_MINUTE } from "./storage/statistics.js";
export type { StatsAnswer, StatsRequest, StatsRow } from "./storage/statistics.js";
export { countedAs, isPlaceInLine, MOVED_AT_ONCE, pageLength } from "./storage/moved.js";
export { checkArriving } from "./storage/moving.js";
export type * from "./storage/moved.js";
export type * from "./storage/moving.js";
export type * from "./storage/flow.js";
export type * from "./storage/operation.js";
export type * from "./storage/record.js";
export type * from "./storage/step.js";

/** Leases lost in mid-run that a job survives; one more and it ends `failed` with reason `crashed`. */
export const MAX_CRASHES = 3;
/** A claim looks at no more than this many rows beyond those it answers. */
export const CLAIM_SLACK = 64;
/** A claim passes over no more than so many jobs that are not claimed ahead, beyond as many as it has claimed ahead. */
export const CLAIM_PASSES = 16;
/** Sources of one claimed job carried with it, in bytes. */
export const CARRIED_BYTES = 65_536;
/**
 * Bytes of messages and results with which a call is full, and what is left goes with the next one: a call has seconds to arrive, and its
 * answer to come. Where that took longer, as it would over a slow network with many large ones, it would be sent again and again.
 */
export const CALL_BYTES = 1_048_576;
/** Rows that one step writes down for consequences that may as well be written later. */
export const CONSEQUENCES_PER_STEP = 500;
/** The most jobs that a limit has let go of its line and that have not begun: thousands may start in one window. */
export const LET_GO_BY_LIMIT = 200;
/**
 * For so many milliseconds after its end a job stays although its task keeps fewer: whoever waits for it reads how it
 * ended, and a settlement whose answer got lost is answered again.
 */
export const KEPT_AT_LEAST = 10_000;
/** Events that a feed keeps at least, unless they are older than `FEED_KEPT_FOR`; a tenth more at most. */
export const FEED_KEPT = 1_000_000;
/**
 * Milliseconds for which a feed keeps an event, and goes on being written after it was last read. Both end within a day
 * of it, so that a reader need not write whenever it reads.
 */
export const FEED_KEPT_FOR = 604_800_000;
/** Bytes of an error that an event carries; a larger one is left to be read with its job. */
export const FEED_ERROR_BYTES = 16_384;

export interface StorageContract {
  /** The storage's own time; requests with `now` replace it. */
  readonly clock: Clock;
  /** The table or key prefix, or another name that tells two stores apart in signed messages. */
  readonly namespace: string;
  /** What it is and where, for people: `sqlite /srv/app/jobs.db`. Never a password. */
  readonly description?: string;
  /** How many steps of one owner may be under way at the same time, each in a lane of its own. @default 1 */
  readonly lanes?: number;
  /**
   * How many of the jobs of an `enqueueMany` go into one `enqueue` at most, each of which stores its own whole or not at all: fewer where
   * they have 1 MB together. Where they are fewer than 1,000, several are under way at the same time: the caller makes the next ones
   * while the storage works elsewhere. @default 1000
   */
  readonly batchSize?: number;
  /**
   * Whether each call travels to a server: requests about single jobs of one moment are then made by one call for some tens of them, and
   * a call about so many is to hold the server up no longer than one about few. @default false
   */
  readonly travels?: boolean;

  /**
   * Makes a queue ready for use; every other call about it comes after. Opening again changes its retention,
   * and how long jobs of unknown tasks may wait.
   *
   * Promise: opening a queue twice keeps its jobs
   * Promise: opening again changes how long jobs are kept that are final already
   * Promise: queues of different names on one storage do not see each other's jobs
   * Promise: what is done to a queue touches no other on its storage
   */
  open(request: OpenRequest): Promise<OpenAnswer>;

  /**
   * Lets go of what the storage holds open; what is stored stays where the storage is durable.
   *
   * Promise: a closed storage refuses every call with TASKQ_CLOSED
   * Promise: closing twice does nothing
   */
  close(): Promise<void>;

  /**
   * Stores flows. Ids that the caller gave answer the job that is there.
   *
   * Promise: an enqueued job is ready at once, or scheduled when it is due later
   * Promise: a flow is stored whole, its roots ready and its other jobs blocked
   * Promise: enqueueing a flow again under the same ids stores nothing and answers the job that is there
   * Promise: an id given by the caller is remembered for a day, also after its job is purged
   * Promise: an id given again a day later stands for another job, which has no part in what the one before was a part of
   * Promise: an id given by the caller for another task rejects with TASKQ_ID_TAKEN and stores nothing
   * Promise: a group may have an id given by the caller, which is known again as that of a job is
   * Promise: of several flows in one call either all are stored or none
   * Promise: a unique key that is taken answers its holder, and stores nothing
   * Promise: a unique key whose holder expired while it waited is free for a new job, unless it is taken until an instant
   * Promise: a group is stored although the unique key of a member is taken: that member waits for it, and nobody else
   * Promise: a unique key with replace cancels the waiting holder and stores the new job
   * Promise: whoever is replaced though it has expired ends expired
   * Promise: a unique key with replace behind an active holder waits for it, and a further one replaces that
   * Promise: a unique key until started is free once its job starts
   * Promise: a unique key until final is free once its job is final
   * Promise: a unique key until an instant is free from that instant
   * Promise: a unique key goes to whoever has waited for it longest, whatever the priorities
   * Promise: a unique key goes to none of those that end together with its holder
   * Promise: a group without members is completed at once, and what follows is ready
   * Promise: an edge to a job that is final already is satisfied or broken at once
   */
  enqueue(request: EnqueueRequest): Promise<EnqueueAnswer | EnqueueCollision>;

  /**
   * Settles ended runs and claims others, in one atomic step. What a step leaves for later steps (skips beyond 500,
   * say) shows as done to claims and reads; its effects tell what it wrote itself. It may claim nothing and still say
   * that there is more: then it is to be asked again at once. A claim that answers nothing need not be remembered.
   *
   * Promise: jobs are claimed by priority, then the instant they became due, then the order of enqueue
   * Promise: a job with an id of its own keeps its place among others of one millisecond
   * Promise: priorities reach over the whole int32
   * Promise: a job is claimed by one owner only
   * Promise: fences grow with every claim
   * Promise: a job that becomes due is claimed in its turn
   * Promise: a claim answers when the next job becomes due
   * Promise: a repeated claim answers the same jobs
   * Promise: ready jobs that are not claimed ahead are never said not to have been passed over
   * Promise: the last claim of each lane is answered again, whatever the others have claimed since
   * Promise: a completed run stores its result, which reads the same as often as it is read
   * Promise: a completed run without a result is told from a result
   * Promise: settling again with the same fence answers repeated and changes nothing
   * Promise: settling with an older fence answers lost and changes nothing
   * Promise: settling a job of which nothing is known answers lost
   * Promise: a settlement and the next claim happen together
   * Promise: a retry is due when it says, and counts as a failure only if it says so
   * Promise: a failed attempt stays on the job with its error
   * Promise: an unbegun run given back leaves attempt, failures and crashes as they were
   * Promise: a postponed run is claimed again from its instant
   * Promise: a run given back with its keys waits by them, in its place and uncounted
   * Promise: a run given back with a unique key that is taken waits until it is free
   * Promise: keys that a run is given back with stand in place of those it had
   * Promise: an interrupted run is ready at once and uses up no retry
   * Promise: a run given back is ready, also when the clock was set back since its claim
   * Promise: an interrupted run of an at-most-once job ends failed
   * Promise: a run settled as cancelled, expired, skipped or quarantined is final in that state
   * Promise: an expired job is never claimed and ends expired
   * Promise: jobs of tasks that the owner does not know are parked and never lost
   * Promise: an owner that announces a task is handed its parked jobs
   * Promise: a job of a task that nobody announces ends quarantined after the time that the queue was opened with
   * Promise: that time begins anew with an announcement, a retry by hand and another opening
   * Promise: only the ids asked for are claimed
   * Promise: only ungated at-least-once jobs are claimed ahead
   * Promise: a completed stage makes the next one ready with its result as source
   * Promise: a failed stage makes every later stage skipped with its cause
   * Promise: a cancelled stage makes every later stage skipped, and no error handler runs
   * Promise: an error handler becomes ready once, when the end of its flow fails, with the job that failed as source
   * Promise: an error handler of a flow that completes is skipped
   * Promise: a join completes when all members have completed, with their results in the order given
   * Promise: a member that is settled twice counts once
   * Promise: a join in mode all fails with the first member that does not complete
   * Promise: members of a failed join that have not started count as skipped from that moment
   * Promise: active members of a failed join run to their end and count no more
   * Promise: what is enqueued behind a member that counts as skipped is skipped with it
   * Promise: a member of a failed join whose run is given back is skipped with it
   * Promise: a join in mode settled completes with the outcome of every member
   * Promise: joins nest
   * Promise: a join of ten thousand members fails without delay
   * Promise: sources above 64 KiB are left out and read by id
   * Promise: flows added by a completed run are stored with it, once
   * Promise: flows added by a run whose group has failed are skipped with it
   * Promise: what was added to a group that had failed waits again once that is opened again, and is by itself
   * Promise: flows added by a completed run are stored, although a new id shares all but its random part with another
   * Promise: a run that adds what was given another task's id is refused and still held, and the others of its step are settled
   * Promise: what follows a completed run also waits for the flows it added
   * Promise: what a completed run adds and is there already counts with what it came to
   * Promise: a job whose gate is closed is parked and does not run
   * Promise: a gate is never held by more than its maximum
   * Promise: a job that a gate lets go has its place, whatever those behind it allow
   * Promise: a gate that opens lets the first of those parked go, by priority, then order
   * Promise: a gate that opens in a call whose clock is behind lets go as many as have a place
   * Promise: a job with several gates takes all of them or none
   * Promise: jobs that wait for each other's places at several gates go on
   * Promise: a job whose gate policy is skip, drop or fail is handed over with that verdict
   * Promise: a job that finds others waiting at its gate waits behind them
   * Promise: ten thousand parked jobs leave the claims of others as they are
   * Promise: no window of a limit holds more starts than its maximum
   * Promise: a limit that opens lets the first of those parked go, by priority, then order
   * Promise: a limit with room for thousands lets few of its line go at a time, and all of them as they begin
   * Promise: a limit lets others of its line go in place of those that are revoked before they begin
   * Promise: those in the line of a limit whose task nobody knows keep no others waiting, however many they are
   * Promise: a claim answers when a limit next opens
   * Promise: a start under a limit is given back when its run is given back unbegun
   * Promise: a start under a limit counts on when its run has ended or its consumer died
   * Promise: a job with a limit and other gates takes all of them or none
   * Promise: a job whose limit is used up is handed over with the verdict of its policy
   * Promise: limits of different times under one key count the same starts
   * Promise: starts further ahead than their window keep no limit shut
   * Promise: ten thousand jobs parked under a limit leave the claims of others as they are
   */
  step(request: StepRequest): Promise<StepAnswer>;

  /**
   * Keeps the runs of an owner.
   *
   * Promise: a renewed lease does not run out
   * Promise: renewing answers the runs that were lost
   * Promise: renewing answers the runs that were revoked
   * Promise: renewing clears a suspicion
   */
  renew(request: RenewRequest): Promise<RenewAnswer>;

  /**
   * Takes runs whose lease is over: a first pass marks them suspect in the storage, a pass half a lease later takes them.
   *
   * Promise: a run whose lease is over is suspect first and taken half a lease later, by any process
   * Promise: however many leases are over, each is suspect at once
   * Promise: runs that are reaped together end in the order in which they were claimed
   * Promise: a reaped run that had begun counts as a crash, an unbegun one does not
   * Promise: a reaped job is ready again within its crashes times the lease
   * Promise: a job over the crash budget ends failed with reason crashed, and its edges with it
   * Promise: a reaped at-most-once job ends failed and never runs again
   * Promise: a revoked run that is reaped ends cancelled, and its edges with it
   * Promise: an unbegun reaped job is not claimed ahead again
   * Promise: a lease further ahead than its own length counts as over
   * Promise: a run that was suspect before the clock was set back is taken half a lease later
   * Promise: the gates of a reaped run are free
   * Promise: the line of a limit goes on after the clock was set back, also if nobody comes
   */
  reap(request: ReapRequest): Promise<ReapAnswer>;

  /**
   * Changes jobs by id, for users.
   *
   * Promise: revoking a waiting job cancels it with reason revoked, and its edges with it
   * Promise: revoking an active job tells its owner at the next step or renewal
   * Promise: revoking a flow cancels every unfinished job of it
   * Promise: revoking a stage cancels it and the later ones
   * Promise: restoring takes a revoke back, and skipped followers return to blocked
   * Promise: a job that has run, or whose join or error handler went on, is not restorable
   * Promise: rescheduling moves a waiting job in place
   * Promise: rescheduling refuses an active or final job
   * Promise: retrying by hand makes a failed job ready with its counters reset
   * Promise: retrying by hand re-opens the flow, unless what follows has started, which rejects with TASKQ_FLOW_FINISHED
   * Promise: a group that re-opens waits for every member that is not final, whatever fails meanwhile
   * Promise: what is retried for a group that stays failed is skipped with it, also where another group lies between
   * Promise: what a retry re-opens in vain stays as it was and takes no unique key
   * Promise: what a retry re-opens waits for a unique key in the order of enqueue, at whatever depth of its flow
   * Promise: a flow of which a part was removed is not re-opened
   * Promise: what is restored or retried by hand goes behind the jobs that were due before
   */
  amend(request: AmendRequest): Promise<AmendAnswer>;

  /**
   * Pauses, resumes, revokes and restores tasks, and pauses and resumes the queue.
   *
   * Promise: a paused queue hands out nothing until it is resumed
   * Promise: jobs of a paused task are parked while others run, and run once it is resumed
   * Promise: what waited for its task or for a resume is ready then, also when the clock was set back meanwhile
   * Promise: jobs of a revoked task end cancelled when their turn comes
   * Promise: a task revoked once skips exactly one job
   * Promise: a task revoked until an instant runs again from then
   * Promise: restoring a task answers whether it was revoked
   */
  control(request: ControlRequest): Promise<ControlAnswer>;

  /**
   * Records an instant of a schedule and enqueues its jobs, in one step.
   *
   * Promise: an instant of a schedule enqueues at most one flow, however many ask
   * Promise: a tick with a stale last instant does nothing and answers the last one
   * Promise: a tick for an instant that has not come does nothing
   * Promise: a tick that overlaps with skip records the instant and enqueues nothing
   * Promise: a tick that overlaps with queue lets one wait at most
   * Promise: the flows of a tick run one after the other, unless they may overlap
   * Promise: a tick of a paused or removed schedule enqueues nothing
   * Promise: a tick uses up a task revoked once
   * Promise: of several instants in one tick, a task revoked once skips the first alone
   */
  tick(request: TickRequest): Promise<TickAnswer>;

  /**
   * Reads and changes the schedules of a queue.
   *
   * Promise: a schedule first seen starts at that moment
   * Promise: declaring a schedule again keeps its last instant and its pause
   * Promise: a schedule put in place of another starts at that moment, and the same one again goes on as it was
   * Promise: schedules are paused, resumed and removed by name
   * Promise: a schedule that is resumed goes on from that moment
   * Promise: who changes or asks for one schedule is answered that one alone
   */
  schedules(request: SchedulesRequest): Promise<SchedulesAnswer>;

  /**
   * Jobs and joins by id, in the order of the ids; `undefined` for one that is not known.
   *
   * Promise: reading answers every job and join in the order asked, and undefined for what is unknown
   * Promise: an id that differs from a stored one in its random part is unknown
   * Promise: bytes that were given or answered may be written over
   */
  read(request: ReadRequest): Promise<readonly (StoredRecord | undefined)[]>;

  /**
   * Jobs by state and task, page by page. Rejects with `TASKQ_OPTION` for an `after` that is no id of a job, and none that
   * core made.
   *
   * Promise: listing pages through every job once, in the order of enqueue
   * Promise: listing filters by state and by task
   * Promise: listing after a job that is gone goes on where its id says, and is refused if that says nothing
   */
  list(request: ListRequest): Promise<ListAnswer>;

  /**
   * Why jobs stand where they stand. A job that is resumed and not let go yet is `waiting` as a ready one.
   *
   * Promise: explaining names what a job waits for
   * Promise: explaining gives a reason in every state
   * Promise: explaining names the weightiest reason first
   * Promise: explaining names the limit that is used up and when it opens
   */
  explain(request: {
    readonly queue: string;
    readonly ids: readonly string[];
    readonly tasks?: readonly string[] | undefined;
    readonly now?: number | undefined;
  }): Promise<readonly ExplainFact[]>;

  /**
   * Jobs by state. Without `by` it costs no more for the final jobs there are; by task it may look at all of them.
   *
   * Promise: counts equal the jobs there are, by state and by task
   */
  counts(request: {
    readonly queue: string;
    readonly by?: "task" | undefined;
    readonly now?: number | undefined;
  }): Promise<Readonly<Record<string, StoredCounts>>>;

  /**
   * Progress and log lines of a run, readable while it runs. The last 1,000 lines of a job are kept.
   *
   * Promise: the last progress and the log lines of a job can be read while it runs
   * Promise: a note with an older fence is refused
   */
  note(request: NoteRequest): Promise<boolean>;

  /** The log lines of a job, oldest first. */
  notes(request: { readonly queue: string; readonly id: string }): Promise<readonly NoteRecord[]>;

  /**
   * Values by key, beside the jobs.
   *
   * Promise: values are set, read, taken and deleted by key
   * Promise: a value is set only where there is none
   * Promise: a value is deleted only if it equals what is expected
   * Promise: a value is gone from the instant it expires
   * Promise: increments of one key from many callers add up
   * Promise: bytes that stand for a number are kept as that number only if they are still there
   * Promise: an operation on values repeated under its name answers as before and does nothing
   */
  values(request: ValuesRequest): Promise<readonly ValueAnswer[]>;

  /**
   * Locks and semaphores outside a job's options, in one line with the jobs parked at the same name.
   *
   * Promise: a lock is held by one ticket at a time, and the next in line gets it when it is released
   * Promise: a semaphore is held by no more tickets than its maximum
   * Promise: acquiring again with the same ticket answers where it stands
   * Promise: a lock whose holder does not renew is free after its time to live
   * Promise: a waiting ticket that is not asked for again loses its place
   * Promise: a waiting ticket that is given back leaves the line
   * Promise: a ticket that was granted while it waited and is not asked for again holds no longer than its place was kept
   * Promise: a lock that was lost or taken away answers lost at renewal
   * Promise: fences of a lock grow with every holder
   * Promise: a lock held by a ticket parks jobs that need it, and the other way round
   */
  keys(request: KeysRequest): Promise<KeysAnswer>;

  /**
   * A start under a limit outside a job's options. It stands in no line: it is taken whenever the window has room for it.
   *
   * Promise: a start is taken while its window has fewer than the maximum, and else it answers when to try again
   * Promise: starts that are taken and starts of jobs count under the same limit
   * Promise: taking again under the same operation answers as before and takes nothing
   */
  take(request: TakeRequest): Promise<TakeAnswer>;

  /**
   * Calls the listener when there may be something new, from this process or another. Only a hint: nothing rests on it.
   *
   * Promise: watching tells of jobs that become ready and of jobs that become final
   */
  watch(queue: string, listener: (hint: WatchHint) => void, options?: WatchOptions): () => void;

  /**
   * Whether those who watch the queue hear now of whatever becomes final, as far as can be known, and are told `any` once that
   * was not so for a while. A storage that cannot know it has no such method.
   */
  hears?(queue: string): boolean;

  /**
   * What was done, minute by minute: runs by the minute they were settled in, with how long they waited and ran. A
   * storage gathers it in memory, and writes it with a step at most once a second, with an owner's last step, and when
   * it closes: what the last second gathered is not seen by others yet, and lost with a process that is killed.
   *
   * Promise: statistics tell how runs ended, how long they waited and how long they took, by task and minute
   * Promise: a settlement that is repeated or lost is in the statistics no more than once
   * Promise: statistics that several connections gather add up
   * Promise: statistics tell since when the job that waits longest has been due
   * Promise: statistics tell of no job as waiting that counts as skipped
   * Promise: statistics tell of each task since when the job that waits longest has been due
   * Promise: statistics are kept for 48 hours
   */
  stats(request: StatsRequest): Promise<StatsAnswer>;

  /**
   * The feed of jobs that became final, numbered in the order in which that was committed. Reading it once makes a queue
   * followed, from then on and until nobody has read for `FEED_KEPT_FOR`; a queue that is not followed writes nothing of
   * it. A reader of a queue that is followed already writes nothing but, at most once a day, that it is.
   *
   * Promise: the feed tells of every job that becomes final, once and in the order they were stored
   * Promise: the feed begins with its first reader, and goes on behind any cursor, for any connection
   * Promise: what several connections settle at once is in the feed once and in an order that stays
   * Promise: members that a failed group takes with it are in the feed, each once
   * Promise: a job that is retried by hand is in the feed again when it is final again
   * Promise: an event of the feed outlives its job
   * Promise: the feed lets go of events after seven days, and a cursor from before rejects with TASKQ_EVENTS_LOST
   * Promise: a feed that nobody reads for seven days ends within a day, and begins anew without the events between
   * Promise: a flush empties the feed, and a cursor from before rejects with TASKQ_EVENTS_LOST
   * Promise: a cursor of another feed rejects with TASKQ_EVENTS_LOST, and what is no cursor with TASKQ_OPTION
   * Promise: a cursor of another event that had the same number rejects with TASKQ_EVENTS_LOST
   * Promise: the feed moves with its queue, and cursors go on behind where they were
   * Promise: a queue that leaves tells what its feed has, and then rejects with TASKQ_MOVED
   */
  events(request: EventsRequest): Promise<EventsAnswer>;

  /**
   * The queue leaves for another storage: first nothing new begins, then what runs ends, then nothing changes any more
   * and all that is kept is read page by page. Until it is finished it can be taken back.
   *
   * Promise: a queue that leaves begins nothing new and rejects with TASKQ_MOVED, but takes what its runs settle
   * Promise: a queue that leaves takes what its runs enqueue and control, and from nobody else
   * Promise: a queue that leaves is still once nothing runs, and refuses every change from then on
   * Promise: pages of a queue that leaves are bounded and answer the same as often as they are asked for
   * Promise: a leaving that is taken back opens the queue as it was
   * Promise: a queue that has left for one destination leaves for no other
   */
  export(request: ExportRequest): Promise<ExportAnswer>;

  /**
   * The other end: an empty queue is filled, page by page, under an epoch greater than that of the source, and opens
   * when the source has left. Records are known by their keys, so that a page may come again.
   *
   * Promise: a queue that arrives hands out nothing and takes nothing until it opens
   * Promise: what has moved reads as it did before, and counts the same
   * Promise: a page that comes again changes nothing
   * Promise: what does not follow the page that came last is not taken, nor put together, and the answer tells where to go on
   * Promise: an arrival that is broken off goes on where it was, and a new departure begins it anew
   * Promise: fences after a move are greater than every one before it
   * Promise: flows in flight go on after a move
   * Promise: what a run has added, and the line of a schedule, are waited for after a move
   * Promise: unique keys, their lines and given ids are as taken after a move as before
   * Promise: those in line for a unique key arrive in their order, and others come behind them
   * Promise: what follows one job waits for a unique key after a move in the order of enqueue
   * Promise: a place in line that is no whole number below 2^40 is refused when it arrives
   * Promise: a limit that was used up before a move starts no more behind it until its window has passed
   * Promise: how many jobs a task keeps holds behind a move as before
   * Promise: statistics move along, and add up with those of the target
   * Promise: a queue that keeps something already takes no arrival
   */
  import(request: ImportRequest): Promise<ImportAnswer>;

  /**
   * Where a queue stands in a move, as it is now; reads only.
   *
   * Promise: a queue tells where it stands in a move
   */
  phase(request: { readonly queue: string }): Promise<QueuePhase>;

  /**
   * Removes final jobs whose retention has passed, oldest first, a bounded number at a time. Steps purge by themselves too.
   *
   * Promise: final jobs are purged once their retention has passed
   * Promise: a result that an unfinished job depends on is kept
   * Promise: what a group yields is kept for as long as the group, where nothing follows it
   * Promise: more completed jobs than the queue keeps are purged, the oldest first
   * Promise: what has just ended stays in a queue that keeps few, although it was enqueued long before what goes
   * Promise: final jobs that are kept for a time of their own count in how many a queue keeps, and go in their turn
   * Promise: more final jobs of a task than it keeps are purged, the oldest first
   * Promise: a flush removes every job, value and result of the queue and leaves others alone
   * Promise: a flush leaves schedules, pauses, revoked tasks and locks
   */
  purge(request: PurgeRequest): Promise<{ readonly removed: number; readonly more: boolean }>;
}

/** What a method of the contract is given. */
export type StorageRequest<Method extends keyof StorageContract> = StorageContract[Method] extends (
  request: infer Parameter,
) => unknown
  ? Parameter
  : never;

/** What a method of the contract answers. */
export type StorageAnswer<Method extends keyof StorageContract> = StorageContract[Method] extends (
  request: never,
) => infer Value
  ? Value
  : never;

export interface OpenRequest {
  readonly queue: string;
  readonly retention: StoredRetention;
  /**
   * Milliseconds after which a job that is parked for its unknown task ends `quarantined`, with reason `unknown-task` and
   * without an error: once it has been due for so long, and nobody who knows its task has claimed for so long since the
   * first one of it was parked. Not before, and no more than a 64th of that time later, by a step that claims. Of the
   * queue: what it was opened with last counts, for all who have it open. @default never
   */
  readonly unknownAfter?: number | undefined;
  readonly now?: number | undefined;
}

/** How long and how many final jobs of a queue are kept. */
export interface StoredRetention {
  readonly completed: { readonly for: number; readonly max: number };
  /** Of all other final states. */
  readonly failed: { readonly for: number; readonly max: number };
}

export interface OpenAnswer {
  /**
   * Grows with each move of the queue from one storage to another, and where it is made anew in place of one that was
   * lost; fences are `epoch × 2^40` and a counter.
   */
  readonly epoch: number;
  /** All but `open` refuse enqueue, claim, tick and control with `TASKQ_MOVED`. */
  readonly phase: QueuePhase;
}

export interface PurgeRequest {
  readonly queue: string;
  readonly limit: number;
  /** Everything of the queue, whatever its state: a flush. */
  readonly everything?: boolean | undefined;
  readonly now?: number | undefined;
}

/** The error for an id that stands for a job of another task. An empty task: a group. */
export function takenError(id: string, known: string, asked: string): TaskqError {
  const whose = known === "" ? "a group" : `a job of task "${known}"`;
  return new TaskqError(
    "TASKQ_ID_TAKEN",
    `the id "${id}" belongs to ${whose}, not ${asked === "" ? "a group" : `"${asked}"`}`,
  );
}

/** What a refused call is told of its queue, as in {@link movedError}. */
export const PHASE_WORDS: Readonly<Record<QueuePhase, string>> = {
  open: "is not moving",
  leaving: "is moving to another storage, or being dumped",
  left: "has moved to another storage",
  arriving: "is being filled from another storage, or from a dump",
};

/**
 * The error for a call that the phase of its queue refuses.
 *
 * @param but why it is refused, if not for the phase alone
 */
export function movedError(queue: string, phase: QueuePhase, but = ""): TaskqError {
  return new TaskqError("TASKQ_MOVED", `the queue "${queue}" ${PHASE_WORDS[phase]}${but}`);
}

/** All states, those that a job passes through first. */
export const STORED_STATES: readonly StoredState[] = [
  "blocked",
  "scheduled",
  "ready",
  "parked",
  "active",
  "completed",
  "failed",
  "cancelled",
  "expired",
  "skipped",
  "quarantined",
];

const FINAL: ReadonlySet<StoredState> = new Set<StoredState>([
  "completed",
  "failed",
  "cancelled",
  "expired",
  "skipped",
  "quarantined",
]);

/** Whether a state is one that a job does not leave by itself. */
export function isFinal(state: StoredState): state is FinalState {
  return FINAL.has(state);
}
