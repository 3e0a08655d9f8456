/** A master, its replica and three Sentinels that watch them. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { ask } from "./ask.js";
import type { ServerBinary } from "./binary.js";
import { startRedisServer, type RedisServer, type ServerOptions } from "./redis-server.js";
import { until } from "./until.js";

export interface SentinelGroup {
  readonly name: string;
  /** As ioredis takes them. */
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  /** The two servers; which one is the master changes. */
  readonly servers: readonly RedisServer[];
  readonly watchers: readonly RedisServer[];
  /** The one that the Sentinels call the master. */
  master(): Promise<RedisServer>;
  /** Makes the replica the master, and the master a replica. Resolves when all agree. */
  failOver(): Promise<void>;
  /** Kills the master, lets the Sentinels choose the other server, and starts the killed one as its replica. */
  crash(): Promise<void>;
  /** Until the other server follows the master again, so that the next fail-over can come. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

const NAME = "main";
/** Milliseconds until a Sentinel takes a silent server for gone; with 500, a busy machine made fail-overs of its own. */
const DOWN_AFTER = 2_000;

export async function startSentinelGroup(
  serverArguments: readonly string[] = [],
  binary?: ServerBinary,
): Promise<SentinelGroup> {
  const started: RedisServer[] = [];
  const start = async (options: ServerOptions): Promise<RedisServer> => {
    const server = await startRedisServer(binary === undefined ? options : { ...options, binary });
    started.push(server);
    return server;
  };
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    const quick = ["--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1", ...serverArguments];
    const first = await start({ arguments: quick });
    const second = await start({ arguments: [...quick, "--replicaof", "127.0.0.1", String(first.port)] });
    const watchers: RedisServer[] = [];
    for (let n = 0; n < 3; n += 1) {
      watchers.push(
        await start({
          sentinel: { configuration: (folder) => configuration(folder, first.port) },
        }),
      );
    }
    const group = new Group([first, second], watchers, stop);
    await group.settled();
    return group;
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(folder: string, port: number): string {
  const file = join(folder, "sentinel.conf");
  const lines = [
    `sentinel monitor ${NAME} 127.0.0.1 ${port} 2`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER}`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);
  return file;
}

class Group implements SentinelGroup {
  readonly name = NAME;
  readonly sentinels: readonly { readonly host: string; readonly port: number }[];
  readonly servers: readonly RedisServer[];
  readonly watchers: readonly RedisServer[];
  readonly stop: () => Promise<void>;

  constructor(servers: readonly RedisServer[], watchers: readonly RedisServer[], stop: () => Promise<void>) {
    this.servers = servers;
    this.watchers = watchers;
    this.stop = stop;
    this.sentinels = watchers.map(({ host, port }) => ({ host, port }));
  }

  async master(): Promise<RedisServer> {
    const ports = await Promise.all(this.watchers.map((watcher) => masterPort(watcher)));
    const master = this.servers.find(({ port }) => ports.every((each) => each === port));
    if (master === undefined) throw new Error(`the Sentinels do not agree: ${ports.join(", ")}`);
    return master;
  }

  async failOver(): Promise<void> {
    const before = await this.master();
    const [watcher] = this.watchers;
    await until("a Sentinel begins the fail-over", async () => {
      await ask(watcher?.port ?? 0, [["SENTINEL", "FAILOVER", NAME]]);
      return true;
    });
    await until("the Sentinels agree on the other server", async () => (await this.master()) !== before);
    // what a Sentinel does as well, but up to ten seconds later
    await ask(before.port, [
      ["REPLICAOF", "127.0.0.1", String((await this.master()).port)],
      ["CLIENT", "KILL", "TYPE", "normal"],
    ]);
  }

  async crash(): Promise<void> {
    const before = await this.master();
    await before.kill();
    await until("the Sentinels agree on the other server", async () => (await this.master()) !== before);
    await before.restart(["--replicaof", "127.0.0.1", String((await this.master()).port)]);
  }

  async settled(): Promise<void> {
    await until("the Sentinels know each other and the replica", async () => {
      const known = await Promise.all(
        this.watchers.map(({ port }) => ask(port, [["SENTINEL", "MASTER", NAME]])),
      );
      return known.every(
        (fields) => fields.includes("num-other-sentinels\n2\n") && fields.includes("num-slaves\n1\n"),
      );
    });
    await until("the replica follows the master", async () => {
      const { port } = await this.master();
      const other = this.servers.find((server) => server.port !== port);
      const link = await ask(other?.port ?? 0, [["INFO", "replication"]]);
      return link.includes("role:slave") && link.includes("master_link_status:up");
    });
  }
}

async function masterPort(watcher: RedisServer): Promise<number> {
  const address = await ask(watcher.port, [["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]]);
  return Number(address.split("\n")[1]);
}
