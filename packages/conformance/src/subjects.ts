/** The contract, subject by subject. */
import type { Subject } from "./promise.js";
import { additions } from "./subjects/additions.js";
import { amending } from "./subjects/amend.js";
import { arriving } from "./subjects/arriving.js";
import { claim } from "./subjects/claim.js";
import { controlling } from "./subjects/control.js";
import { eligible } from "./subjects/eligible.js";
import { enqueue } from "./subjects/enqueue.js";
import { feeding } from "./subjects/events.js";
import { explaining } from "./subjects/explain.js";
import { flows } from "./subjects/flows.js";
import { gates } from "./subjects/gates.js";
import { joins } from "./subjects/joins.js";
import { keyedRuns } from "./subjects/keyed.js";
import { locking } from "./subjects/keys.js";
import { limits, taking } from "./subjects/limits.js";
import { movedHistory } from "./subjects/moved-history.js";
import { leaving } from "./subjects/leaving.js";
import { lifecycle } from "./subjects/lifecycle.js";
import { purging } from "./subjects/purge.js";
import { ending } from "./subjects/outcomes.js";
import { counting, listing, noting, reading } from "./subjects/read.js";
import { reaping } from "./subjects/reap.js";
import { renewing } from "./subjects/renew.js";
import { scheduling, ticking } from "./subjects/schedules.js";
import { settle } from "./subjects/settle.js";
import { measuring } from "./subjects/stats.js";
import { unknown } from "./subjects/unknown.js";
import { unique } from "./subjects/unique.js";
import { valuing } from "./subjects/values.js";
import { watching } from "./subjects/watch.js";

/** Every promise of the contract. */
export const SUBJECTS: readonly Subject[] = [
  lifecycle,
  enqueue,
  unique,
  claim,
  eligible,
  unknown,
  settle,
  ending,
  keyedRuns,
  flows,
  additions,
  joins,
  gates,
  limits,
  renewing,
  reaping,
  amending,
  controlling,
  ticking,
  scheduling,
  reading,
  listing,
  explaining,
  counting,
  measuring,
  noting,
  valuing,
  locking,
  taking,
  watching,
  feeding,
  leaving,
  arriving,
  movedHistory,
  purging,
];
