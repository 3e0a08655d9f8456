/** The scripts: one for each move, put together from the parts that it needs. */
import { script as scriptOf, type Script } from "../connection/script.js";
import { added } from "./added.js";
import { answers } from "./answers.js";
import { blocks } from "./blocks.js";
import { claim } from "./claim.js";
import { claims } from "./claims.js";
import { feed } from "./feed.js";
import { finish } from "./finish.js";
import { flows } from "./flows.js";
import { flush } from "./flush.js";
import { gateRows } from "./gate-rows.js";
import { gates } from "./gates.js";
import { indexes } from "./indexes.js";
import { KEY_NAMES } from "./key-names.js";
import { left } from "./left.js";
import { limits } from "./limits.js";
import { listing } from "./listing.js";
import { lost } from "./lost.js";
import * as moves from "./moves/index.js";
import { moving } from "./moving.js";
import { places } from "./places.js";
import { purge } from "./purge.js";
import { rebuild } from "./rebuild.js";
import { receive } from "./receive.js";
import { reopen } from "./reopen.js";
import { retention } from "./retention.js";
import { rows } from "./rows.js";
import { session } from "./session.js";
import { settle } from "./settle.js";
import * as short from "./short/index.js";
import { store } from "./store.js";
import { unique } from "./unique.js";

const keys = `local K = {${KEY_NAMES.map((name, place) => `${name} = KEYS[${place + 1}]`).join(", ")}}\n`;

const PARTS = [
  session,
  indexes,
  blocks,
  rows,
  claims,
  listing,
  feed,
  gateRows,
  gates,
  limits,
  unique,
  added,
  flows,
  retention,
  left,
  finish,
  lost,
  store,
  claim,
  answers,
  purge,
];

/** For moves that look at single rows, or at none. */
export const FEW: readonly string[] = [session, indexes, blocks, rows, claims, feed];

const packed = "local function REQUEST() return cmsgpack.unpack(ARGV[1]) end\n";

/** With all parts that several moves share. */
export function script(name: string, parts: readonly string[], move: string): Script {
  return made(name, [...PARTS, ...parts], move);
}

/**
 * Each part in a function of its own, but for the first, whose locals all others see: what a function takes from around it is
 * looked for among all locals of the functions that are running and have been taken so, one after the other. In one function,
 * making the 280 of all parts took half again as long.
 */
function apart([first = "", ...others]: readonly string[]): string {
  return [first, ...others.map((part) => `;(function()\n${part}\nend)()\n`)].join("");
}

/** With these parts alone. */
export function made(name: string, parts: readonly string[], move: string): Script {
  return scriptOf(name, [`-- taskq ${name}\n`, packed, keys, apart([...parts, flush]), move].join(""));
}

/** See `Script`. */
export function always(one: Script): Script {
  return { ...one, always: true };
}

/** See `Script`. */
export function copied(one: Script): Script {
  return { ...one, copied: true };
}

/** With a short way at the head, for what is common; the rest is made only for what it leaves. */
const step = scriptOf(
  "step",
  [
    `-- taskq step\n${short.shared}local REQUEST\nlocal function general()\n`,
    keys,
    apart([...PARTS, settle, flush]),
    moves.step,
    "\nend\n",
    short.request,
    short.step,
    short.both,
  ].join(""),
);

/** The moves, and the short ways. */
export type ScriptName =
  | "open"
  | "enqueue"
  | "add"
  | "addOne"
  | "addMixed"
  | "step"
  | "shortStep"
  | "resume"
  | "renew"
  | "reap"
  | "amend"
  | "control"
  | "tick"
  | "schedules"
  | "read"
  | "shortRead"
  | "list"
  | "counts"
  | "explain"
  | "note"
  | "notes"
  | "values"
  | "keys"
  | "take"
  | "stats"
  | "export"
  | "import"
  | "purge"
  | "events"
  | "phase";

/** By move. */
export const SCRIPTS: Readonly<Record<ScriptName, Script>> = {
  open: always(script("open", [rebuild], moves.open)),
  enqueue: copied(script("enqueue", [], moves.enqueue)),
  /** Jobs that belong to nothing; answers 0 for all others, and has done nothing. */
  add: copied(short.upTo("wake", "add", `-- taskq add\n${short.add}`)),
  /** One of these, where a consumer may wait for it. */
  addOne: copied(short.upTo("waiting", "add (one)", `-- taskq add one\n${short.addOne}`)),
  /** With jobs that have keys of their own and flows among them, likewise. */
  addMixed: copied(short.upTo("memory", "add (mixed)", `-- taskq add mixed\n${short.addMixed}`)),
  step: always(step),
  /** The short way of a step alone, likewise. */
  shortStep: always(
    short.upTo(
      "caps",
      "step (short)",
      `-- taskq short step\n${short.shared}local general\n${short.step}${short.alone}`,
    ),
  ),
  resume: always(script("resume", [], moves.resume)),
  renew: always(made("renew", FEW, moves.renew)),
  reap: always(script("reap", [rebuild], moves.reap)),
  amend: always(script("amend", [reopen], moves.amend)),
  control: always(script("control", [], moves.control)),
  tick: script("tick", [], moves.tick),
  schedules: made("schedules", FEW, moves.schedules),
  read: script("read", [], moves.read),
  /** The short way of reading alone, likewise. */
  shortRead: short.upTo("ended", "read (short)", `-- taskq short read\n${short.read}`),
  list: script("list", [places], moves.list),
  counts: made("counts", FEW, moves.counts),
  explain: script("explain", [], moves.explain),
  /** What a handler says last is to be kept before its run is settled. */
  note: always({ ...made("note", FEW, moves.note), inOrder: true }),
  notes: made("notes", FEW, moves.notes),
  values: made("values", FEW, moves.values),
  keys: always(script("keys", [], moves.keys)),
  take: always(script("take", [], moves.take)),
  stats: always(script("stats", [places], moves.stats)),
  export: always(script("export", [moving], moves.exporting)),
  import: copied(script("import", [moving, receive], moves.importing)),
  purge: always(script("purge", [], moves.purge)),
  events: always(made("events", FEW, moves.events)),
  phase: made("phase", FEW, moves.phase),
};
