/** What a server says of itself. What it may not say is `undefined`. */
export interface ServerFacts {
  /** `host:port` as we reach it. */
  readonly address: string;
  readonly kind: "redis" | "valkey" | undefined;
  readonly version: string | undefined;
  readonly mode: "standalone" | "cluster" | "sentinel" | undefined;
  readonly role: "master" | "slave" | undefined;
  /** Of a replica. */
  readonly masterAddress: string | undefined;
  readonly replicas: number | undefined;
  readonly policy: string | undefined;
  readonly appendOnly: boolean | undefined;
  /** `always`, `everysec` or `no`. */
  readonly appendSync: string | undefined;
  /** When snapshots are taken: `3600 1 300 100`; empty for never. */
  readonly snapshots: string | undefined;
  /** By how many milliseconds its clock is ahead of this process's: at least, and at most. */
  readonly ahead: readonly [least: number, most: number] | undefined;
}

/** What forks say instead of `redis_mode`: Valkey, where it is told not to pass for Redis, and Redict. */
const MODES = ["redis_mode", "server_mode", "redict_mode"];

/** When a server was asked for what it says of itself, and when it had answered, by the clock of this process. */
export interface Asked {
  readonly from: number;
  readonly to: number;
}

/** The facts in the reply to `INFO`, and in those of `CONFIG GET` for `save` and `appendfsync`. */
export function factsOf(
  address: string,
  info: string | undefined,
  config: ReadonlyMap<string, string>,
  asked: Asked,
): ServerFacts {
  const fields = new Map<string, string>();
  for (const line of info?.split("\r\n") ?? []) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  const valkey = fields.get("valkey_version");
  const appendOnly = fields.get("aof_enabled");
  const replicas = fields.get("connected_slaves");
  const host = fields.get("master_host");
  const time = Number(fields.get("server_time_usec")) / 1_000;
  return {
    address,
    kind: info === undefined ? undefined : valkey === undefined ? "redis" : "valkey",
    version: valkey ?? fields.get("redis_version"),
    mode: MODES.flatMap((name) => fields.get(name) ?? [])[0] as ServerFacts["mode"],
    role: fields.get("role") as ServerFacts["role"],
    masterAddress: host === undefined ? undefined : `${host}:${fields.get("master_port")}`,
    replicas: replicas === undefined ? undefined : Number(replicas),
    policy: fields.get("maxmemory_policy"),
    appendOnly: appendOnly === undefined ? undefined : appendOnly === "1",
    appendSync: config.get("appendfsync"),
    snapshots: config.get("save"),
    ahead: Number.isNaN(time) ? undefined : [time - asked.to, time - asked.from],
  };
}
