import type { ServerFacts } from "./facts.js";

/** Something about a server, and the line that mends it. */
export interface Finding {
  /**
   * `refused`: nothing would work. `void`: it voids our promises, and is refused with `strict`, else warned of. `told`: a
   * warning in any case.
   */
  readonly weight: "refused" | "void" | "told";
  /** Of the warning. */
  readonly code: FindingCode;
  readonly message: string;
}

export type FindingCode =
  | "TASKQ_REDIS_ROLE"
  | "TASKQ_REDIS_VERSION"
  | "TASKQ_REDIS_CLUSTER"
  | "TASKQ_REDIS_EVICTION"
  | "TASKQ_REDIS_PERSISTENCE"
  | "TASKQ_REDIS_REPLICAS"
  | "TASKQ_REDIS_CLOCKS"
  | "TASKQ_REDIS_LOST"
  | "TASKQ_REDIS_UNSEEN"
  | "TASKQ_REDIS_WAKE";

export interface Expected {
  /** Whether we were given a Cluster. */
  readonly cluster: boolean;
  readonly minReplicas: number;
}

const OLDEST = [6, 2] as const;

/** Judges what a server says of itself. */
export function findingsOf(facts: ServerFacts, expected: Expected): readonly Finding[] {
  const wrong = wrongServer(facts, expected);
  if (wrong !== undefined) return [wrong];
  return [eviction(facts), persistence(facts), tooFewReplicas(facts, expected), unseen(facts)].filter(
    (finding) => finding !== undefined,
  );
}

function wrongServer(facts: ServerFacts, { cluster }: Expected): Finding | undefined {
  const refused = (code: FindingCode, message: string): Finding => ({
    weight: "refused",
    code,
    message: `${serverOf(facts)} ${message}`,
  });
  if (facts.mode === "sentinel") {
    return refused(
      "TASKQ_REDIS_ROLE",
      "is a Sentinel, which keeps no jobs; write connection: { sentinels: [{ host, port }], name: 'the name of the master' }",
    );
  }
  if (isTooOld(facts)) {
    return refused("TASKQ_REDIS_VERSION", "is too old; expected Redis 6.2 or newer, or Valkey");
  }
  if (facts.role === "slave") {
    return refused(
      "TASKQ_REDIS_ROLE",
      `is a replica of ${facts.masterAddress ?? "another"}, and takes no jobs; connect to the master, ` +
        "or let Sentinels name it: connection: { sentinels: [{ host, port }], name }",
    );
  }
  if (facts.mode === "cluster" && !cluster) {
    return refused(
      "TASKQ_REDIS_CLUSTER",
      "is a node of a Cluster; write client: new Cluster([{ host, port }]) with the Cluster of ioredis",
    );
  }
  return undefined;
}

function isTooOld({ kind, version }: ServerFacts): boolean {
  if (kind !== "redis" || version === undefined) return false;
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
}

function eviction(facts: ServerFacts): Finding | undefined {
  if (facts.policy === undefined || facts.policy === "noeviction") return undefined;
  return {
    weight: "void",
    code: "TASKQ_REDIS_EVICTION",
    message:
      `${serverOf(facts)} has the maxmemory-policy ${facts.policy}: when its memory is full it removes keys, ` +
      "and whole queues with them, instead of refusing more jobs; " +
      "mend it with: redis-cli CONFIG SET maxmemory-policy noeviction (and in redis.conf)",
  };
}

function persistence(facts: ServerFacts): Finding | undefined {
  const found = (message: string): Finding => ({
    weight: "void",
    code: "TASKQ_REDIS_PERSISTENCE",
    message: `${serverOf(facts)} ${message}`,
  });
  if (facts.appendOnly === undefined) return undefined;
  if (facts.appendOnly) {
    if (facts.appendSync !== "no") return undefined;
    return found(
      "leaves it to the system when jobs get to the disk (appendfsync no), and a power cut may lose half a minute; " +
        "mend it with: redis-cli CONFIG SET appendfsync everysec (and in redis.conf)",
    );
  }
  const mend = "mend it with: redis-cli CONFIG SET appendonly yes (and in redis.conf)";
  if (facts.snapshots === "") return found(`keeps nothing on disk: a restart loses every job; ${mend}`);
  return found(
    `writes no log of changes (appendonly no): a restart loses what came after the last snapshot; ${mend}`,
  );
}

function tooFewReplicas(facts: ServerFacts, { minReplicas }: Expected): Finding | undefined {
  if (facts.replicas === undefined || facts.replicas >= minReplicas) return undefined;
  return {
    weight: "told",
    code: "TASKQ_REDIS_REPLICAS",
    message:
      `${serverOf(facts)} has ${facts.replicas} replicas and minReplicas is ${minReplicas}: ` +
      "each enqueue rejects with TASKQ_UNAVAILABLE until there are more",
  };
}

function unseen(facts: ServerFacts): Finding | undefined {
  if (facts.kind !== undefined) return undefined;
  return {
    weight: "told",
    code: "TASKQ_REDIS_UNSEEN",
    message:
      `${serverOf(facts)} does not let this user see its role, version, maxmemory-policy and persistence, ` +
      "which therefore nobody checked; mend it with: redis-cli ACL SETUSER <user> +info",
  };
}

/** `the Valkey 8.0.1 server at 127.0.0.1:6379` */
export function serverOf({ address, kind, version }: ServerFacts): string {
  const name = kind === "valkey" ? "Valkey" : "Redis";
  return `the ${name}${version === undefined ? "" : ` ${version}`} server at ${address}`;
}
