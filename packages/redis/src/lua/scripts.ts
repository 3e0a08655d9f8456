/** The scripts: one for each move, put together from the parts that it needs. */
import { script as scriptOf, type Script } from "../connection/script.js";
import { answers } from "./answers.js";
import { claim } from "./claim.js";
import { finish } from "./finish.js";
import { flows } from "./flows.js";
import { flush } from "./flush.js";
import { gates } from "./gates.js";
import { indexes } from "./indexes.js";
import { KEY_NAMES } from "./key-names.js";
import { limits } from "./limits.js";
import * as moves from "./moves/index.js";
import { moving } from "./moving.js";
import { purge } from "./purge.js";
import { reopen } from "./reopen.js";
import { rows } from "./rows.js";
import { session } from "./session.js";
import { settle } from "./settle.js";
import { store } from "./store.js";
import { unique } from "./unique.js";

const keys = `local K = {${KEY_NAMES.map((name, place) => `${name} = KEYS[${place + 1}]`).join(", ")}}\n`;

const PARTS = [session, indexes, rows, gates, limits, unique, flows, finish, store, claim, answers, purge];

function script(name: string, parts: readonly string[], move: string): Script {
  return scriptOf(name, [`-- taskq ${name}\n`, keys, ...PARTS, ...parts, flush, move].join(""));
}

/** By move. */
export const SCRIPTS = {
  open: script("open", [], moves.open),
  enqueue: script("enqueue", [], moves.enqueue),
  step: script("step", [settle], moves.step),
  resume: script("resume", [], moves.resume),
  renew: script("renew", [], moves.renew),
  reap: script("reap", [], moves.reap),
  amend: script("amend", [reopen], moves.amend),
  control: script("control", [], moves.control),
  tick: script("tick", [], moves.tick),
  schedules: script("schedules", [], moves.schedules),
  read: script("read", [], moves.read),
  list: script("list", [], moves.list),
  counts: script("counts", [], moves.counts),
  explain: script("explain", [], moves.explain),
  note: script("note", [], moves.note),
  notes: script("notes", [], moves.notes),
  values: script("values", [], moves.values),
  keys: script("keys", [], moves.keys),
  take: script("take", [], moves.take),
  stats: script("stats", [], moves.stats),
  export: script("export", [moving], moves.exporting),
  import: script("import", [moving], moves.importing),
  purge: script("purge", [], moves.purge),
} as const satisfies Readonly<Record<string, Script>>;
