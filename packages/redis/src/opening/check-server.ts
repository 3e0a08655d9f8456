import { TaskqError } from "@taskq/core/storage";
import type { Caller } from "../connection/caller.js";
import type { Reply } from "../connection/client.js";
import { replyCodeOf } from "../connection/failure.js";
import type { WakeMode } from "../wake/wake.js";
import { clocksApart } from "./clocks.js";
import { factsOf, type ServerFacts } from "./facts.js";
import { findingsOf, type Finding } from "./findings.js";

export interface CheckOptions {
  readonly caller: Caller;
  /** Whether we were given a Cluster. */
  readonly cluster: boolean;
  readonly strict: boolean;
  readonly minReplicas: number;
  /** What the keys of each partition begin with: on a Cluster, the nodes that have them are looked at. */
  readonly bases: readonly string[];
  /** Where we connect, for people. */
  readonly description: string;
}

/** What the opening found out. */
export interface CheckedServer {
  readonly servers: readonly ServerFacts[];
  readonly findings: readonly Finding[];
  readonly wake: WakeMode;
}

/**
 * Looks whether the server can keep our promises.
 *
 * @throws `TASKQ_STORAGE` if it cannot work at all; with `strict`, also if it voids a promise. `TASKQ_UNAVAILABLE`
 */
export async function checkServer(options: CheckOptions): Promise<CheckedServer> {
  const all = await Promise.all(options.bases.map((base) => lookAt(options, base)));
  const servers = [...new Map(all.map((facts) => [facts.address, facts])).values()];
  const findings = servers.flatMap((facts) => findingsOf(facts, options)).concat(clocksApart(servers) ?? []);
  refuse(findings, options.strict);
  const { mode, finding } = await wakeMode(options);
  return { servers, findings: finding === undefined ? findings : [...findings, finding], wake: mode };
}

/** Tells each finding once, as a warning of the process. */
export function warnOf(findings: readonly Finding[]): void {
  for (const { message, code } of findings) process.emitWarning(message, { code });
}

function refuse(findings: readonly Finding[], strict: boolean): void {
  const refused = findings.filter(({ weight }) => weight === "refused" || (strict && weight === "void"));
  const [first] = refused;
  if (first === undefined) return;
  const why = first.weight === "void" ? " (refused by strict: true)" : "";
  throw new TaskqError("TASKQ_STORAGE", refused.map(({ message }) => message).join("; also, ") + why);
}

async function lookAt({ caller, cluster, description }: CheckOptions, base: string): Promise<ServerFacts> {
  const from = Date.now();
  const info = await allowed(caller.commandAt(base, "info", []));
  const asked = { from, to: Date.now() };
  const address = (cluster ? caller.addressOf(base) : undefined) ?? description.replace(/^redis /, "");
  if (info === undefined) return factsOf(address, undefined, new Map(), asked);
  const config = new Map<string, string>();
  // one by one: Redis 6.2 takes one name only
  for (const name of ["save", "appendfsync"]) {
    const pair = await allowed(caller.commandAt(base, "config", ["get", name]));
    if (Array.isArray(pair) && pair.length === 2) config.set(name, String(pair[1]));
  }
  return factsOf(address, String(info), config, asked);
}

/** By saying something that nobody hears: whether the user may publish, and whether the Cluster can by slot. */
async function wakeMode({
  caller,
  cluster,
  bases,
  description,
}: CheckOptions): Promise<{ mode: WakeMode; finding?: Finding }> {
  const silent = (why: string): { mode: WakeMode; finding: Finding } => ({
    mode: "none",
    finding: {
      weight: "told",
      code: "TASKQ_REDIS_WAKE",
      message: `${description}: ${why}; processes look for jobs and results of others by polling`,
    },
  });
  const channel = `${bases[0] ?? ""}wake`;
  try {
    await caller.command(cluster ? "spublish" : "publish", [`${channel}:beat:opening`, ""]);
    return { mode: cluster ? "sharded" : "plain" };
  } catch (error) {
    const code = replyCodeOf(error);
    if (code === "NOPERM") {
      return silent(
        `this user may not publish on the channels of the queue; mend it with: redis-cli ACL SETUSER <user> &${channel}*`,
      );
    }
    if (code === "ERR" && cluster) return silent("hints by hash slot need a Cluster of Redis 7 or newer");
    throw error;
  }
}

/** The reply, or `undefined` where the user may not ask, or a managed server has no such command. */
async function allowed(reply: Promise<Reply>): Promise<Reply | undefined> {
  try {
    return await reply;
  } catch (error) {
    const code = replyCodeOf(error);
    if (code === "NOPERM" || code === "ERR") return undefined;
    throw error;
  }
}
