import { metByAll, TaskqError } from "@taskq/core/storage";
import { withoutSecrets } from "./secrets.js";

/** What follows an error of one attempt. */
export type Verdict =
  /** Nothing but the way there failed, or the server takes nothing for the moment: again, as soon as it may help. */
  | { readonly kind: "again"; readonly pause: number }
  /** This connection leads to the wrong server, or nowhere: again on another one. */
  | { readonly kind: "reconnect"; /** Whether the server said so. */ readonly said: boolean }
  /** The server does not know the script. */
  | { readonly kind: "unknown-script" }
  /** The server has no room for what it may write. */
  | { readonly kind: "full"; readonly error: TaskqError }
  /** It will not get better by itself. */
  | { readonly kind: "fail"; readonly error: TaskqError };

/** Before the same call is sent again to a server that has said that it cannot, in milliseconds. */
const PAUSE = 100;

/** The server takes nothing for the moment; what it says is the reason. */
const PASSING: ReadonlySet<string> = new Set([
  "LOADING",
  "BUSY",
  "MASTERDOWN",
  "TRYAGAIN",
  "CLUSTERDOWN",
  "NOREPLICAS",
  "MISCONF",
]);

const HOPELESS: ReadonlySet<string> = new Set(["NOAUTH", "WRONGPASS", "NOPERM"]);

const EXPLAINED: Readonly<Record<string, string>> = {
  OOM:
    "expected room in the memory of the server, got none: raise maxmemory, or keep fewer finished jobs " +
    "(createQueue({ keep }))",
  NOPERM:
    "expected a user who may do this, got a refusal; the line for ACL SETUSER is in the guide to Redis (guide/redis.md)",
  NOAUTH: "expected a password, got none: give it in the url, or as connection.password",
  WRONGPASS: "expected a user and password that the server knows, got others",
  MOVED: "expected a server of its own, got a node of a Cluster: give client: new Cluster([{ host, port }])",
  ASK: "expected a server of its own, got a node of a Cluster: give client: new Cluster([{ host, port }])",
  "NO-CLUSTER": "expected a Cluster, got a server of its own: give url, or client: new Redis(…)",
  "NO-DATABASE": "expected a database that the server has (databases in redis.conf), got another number",
  CROSSSLOT: "expected keys of one hash slot, got several",
  WRONGTYPE:
    "expected the keys of the queue as taskq writes them, got one that something else has written: give each program a " +
    "prefix or a database of its own, find the key by its TYPE (decisions/redis-layout.md) and DEL it",
  DAMAGED:
    "expected the keys of the queue as taskq writes them, got one that something else has written into; the row of the " +
    "queue (the key that ends with :queue) is made anew from its jobs once it is gone (DEL)",
};

/** What the keys of a queue are to blame for: a call about others does not meet it. */
const OF_KEYS: ReadonlySet<string> = new Set(["WRONGTYPE", "DAMAGED", "CROSSSLOT"]);

/** Judges what an attempt was rejected with. */
export function judge(error: unknown, what: string): Verdict {
  if (error instanceof TaskqError) return { kind: "fail", error };
  if (isRedirected(error)) return { kind: "again", pause: PAUSE };
  const code = replyCode(error);
  if (code === undefined) return isOurs(error) ? failed(error, what, "") : { kind: "reconnect", said: false };
  if (code === "NOSCRIPT") return { kind: "unknown-script" };
  if (code === "READONLY" || code === "UNBLOCKED") return { kind: "reconnect", said: true };
  if (PASSING.has(code)) return { kind: "again", pause: PAUSE };
  if (code === "OOM") return { ...failed(error, what, code), kind: "full" };
  return failed(error, what, isNoDatabase(error) ? "NO-DATABASE" : isUnreadable(error) ? "DAMAGED" : code);
}

function failed(error: unknown, what: string, code: string): Extract<Verdict, { kind: "fail" }> {
  const explained = EXPLAINED[code];
  const message = `${what}: ${explained === undefined ? "" : `${explained}: `}${messageOf(error)}`;
  const told = new TaskqError("TASKQ_STORAGE", message, { cause: withoutSecrets(error) });
  return { kind: "fail", error: explained === undefined || OF_KEYS.has(code) ? told : metByAll(told) };
}

/** The error of a connection that no other attempt mends, so that it is of no use to wait for the deadline. */
export function hopeless(why: unknown, what: string): TaskqError | undefined {
  for (const cause of causes(why)) {
    if (cause instanceof TaskqError)
      return new TaskqError(cause.code, `${what}: ${cause.message}`, { cause: cause.cause });
    const code = replyCode(cause) ?? "";
    if (!HOPELESS.has(code) && !isNoCluster(cause)) continue;
    return failed(cause, what, isNoCluster(cause) ? "NO-CLUSTER" : code).error;
  }
  return undefined;
}

/** What a command of a script met, as the server tells it, or a script of ours that has caught it. */
const IN_SCRIPT =
  /(?:: -|^(?:TASKQ_SCRIPT|ERR) -?(?=(?:WRONGTYPE|OOM|NOPERM|MISCONF|NOREPLICAS|READONLY) ))([A-Z]+) /;

/**
 * The first word of an error reply, such as `READONLY`; of one that a command of a script met, the command's
 * (`ERR Error running script …: -READONLY …` up to Redis 6.2). `undefined` for what is no reply.
 */
function replyCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== "ReplyError") return undefined;
  if (/user executing the script can't|ACL failure in script/.test(error.message)) return "NOPERM";
  const inner = IN_SCRIPT.exec(error.message)?.[1];
  return inner ?? /^([A-Z]+)/.exec(error.message)?.[1] ?? "ERR";
}

/** The same of an error of ours that a call rejected with. */
export function replyCodeOf(error: unknown): string | undefined {
  return error instanceof TaskqError && error.code === "TASKQ_STORAGE" ? replyCode(error.cause) : undefined;
}

/** A mistake in how we called the client: no connection has anything to do with it. */
function isOurs(error: unknown): boolean {
  return error instanceof TypeError || error instanceof RangeError;
}

/** A slot that is being moved answers `TRYAGAIN` for as long as that takes; ioredis asks 16 times. */
function isRedirected(error: unknown): boolean {
  return error instanceof Error && /^Too many Cluster redirections.*ReplyError/.test(error.message);
}

function isNoCluster(error: unknown): boolean {
  return error instanceof Error && error.message.includes("cluster support disabled");
}

function isNoDatabase(error: unknown): boolean {
  return error instanceof Error && error.message.includes("DB index is out of range");
}

/** What a script was to unpack is nothing that was packed. */
function isUnreadable(error: unknown): boolean {
  return (
    error instanceof Error &&
    /request to unpack|bytes in input|Bad data format|data string too short/.test(error.message)
  );
}

/** An error and those below it: a Cluster hides why its nodes failed in `lastNodeError`. */
function causes(error: unknown): readonly unknown[] {
  const found: unknown[] = [];
  let next: unknown = error;
  while (typeof next === "object" && next !== null && found.length < 5) {
    found.push(next);
    next = "lastNodeError" in next ? next.lastNodeError : undefined;
  }
  return found;
}

/** The reason of a call that ran out of time. */
export function unavailable(what: string, timeout: number, why: unknown): TaskqError {
  const last = causes(why).at(-1);
  const message = `${what}: no answer within ${timeout} ms: `;
  if (last === undefined) return new TaskqError("TASKQ_UNAVAILABLE", `${message}the server does not answer`);
  return new TaskqError("TASKQ_UNAVAILABLE", message + messageOf(last), { cause: withoutSecrets(last) });
}

/** The message of an error, in which a server never quotes a password. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
