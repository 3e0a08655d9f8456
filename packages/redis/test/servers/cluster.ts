/** A Cluster of three masters, each with a third of the slots; with replicas if asked. */
import { ask } from "./ask.js";
import type { ServerBinary } from "./binary.js";
import { startRedisServer, type RedisServer } from "./redis-server.js";
import { until } from "./until.js";

export interface TestCluster {
  /** As `new Cluster` of ioredis takes them. */
  readonly startupNodes: { readonly host: string; readonly port: number }[];
  readonly masters: readonly RedisServer[];
  /** The one of each master, in their order; empty unless asked for. */
  readonly replicas: readonly RedisServer[];
  /** The master that has a slot now. */
  owner(slot: number): Promise<RedisServer>;
  /** Moves a slot with its keys, in the steps of `redis-cli --cluster reshard`, with a pause between them. */
  moveSlot(slot: number, to: RedisServer, pause?: number): Promise<void>;
  stop(): Promise<void>;
}

const SLOTS = 16_384;
const MASTERS = 3;

export async function startCluster(
  options: {
    readonly replicas?: boolean;
    readonly arguments?: readonly string[];
    readonly binary?: ServerBinary;
  } = {},
): Promise<TestCluster> {
  const started: RedisServer[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(started.map((server) => server.stop()));
  };
  try {
    for (let n = 0; n < (options.replicas === true ? 2 : 1) * MASTERS; n += 1) {
      const own = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"];
      const quick = ["--cluster-node-timeout", "1000", "--repl-diskless-sync-delay", "0"];
      const binary = options.binary === undefined ? {} : { binary: options.binary };
      const more = options.arguments ?? [];
      started.push(await startRedisServer({ arguments: [...own, ...quick, ...more], ...binary }));
    }
    const masters = started.slice(0, MASTERS);
    const replicas = started.slice(MASTERS);
    await join(masters, replicas);
    return new Servers(masters, replicas, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whether its servers know `SPUBLISH`: Redis from 7 on, and Valkey. */
export async function hasShardedHints({ masters }: TestCluster): Promise<boolean> {
  return (await ask(masters[0]?.port ?? 0, [["COMMAND", "INFO", "SPUBLISH"]])) !== "";
}

async function join(masters: readonly RedisServer[], replicas: readonly RedisServer[]): Promise<void> {
  const all = [...masters, ...replicas];
  for (const [n, { port }] of masters.entries()) {
    const first = Math.ceil((n * SLOTS) / MASTERS);
    const last = Math.ceil(((n + 1) * SLOTS) / MASTERS) - 1;
    const slots = Array.from({ length: last - first + 1 }, (_, index) => String(first + index));
    await ask(port, [
      ["CLUSTER", "ADDSLOTS", ...slots],
      ["CLUSTER", "SET-CONFIG-EPOCH", String(n + 1)],
    ]);
  }
  const [first] = masters;
  for (const { port } of all.slice(1)) {
    await ask(port, [["CLUSTER", "MEET", "127.0.0.1", String(first?.port)]]);
  }
  await until("every node knows every other", async () => {
    const known = await Promise.all(all.map(({ port }) => ask(port, [["CLUSTER", "INFO"]])));
    return known.every((info) => info.includes(`cluster_known_nodes:${all.length}`));
  });
  for (const [n, { port }] of replicas.entries()) {
    const master = masters[n]?.port ?? 0;
    await until("a replica follows its master", async () => {
      await ask(port, [["CLUSTER", "REPLICATE", await ask(master, [["CLUSTER", "MYID"]])]]);
      return true;
    });
  }
  await until("the Cluster is whole", async () => {
    const states = await Promise.all(all.map(({ port }) => ask(port, [["CLUSTER", "INFO"]])));
    return states.every((info) => info.includes("cluster_state:ok"));
  });
  await until("the replicas have their data", async () => {
    const links = await Promise.all(replicas.map(({ port }) => ask(port, [["INFO", "replication"]])));
    return links.every((link) => link.includes("master_link_status:up"));
  });
}

class Servers implements TestCluster {
  readonly startupNodes: { readonly host: string; readonly port: number }[];
  readonly masters: readonly RedisServer[];
  readonly replicas: readonly RedisServer[];
  readonly stop: () => Promise<void>;

  constructor(masters: readonly RedisServer[], replicas: readonly RedisServer[], stop: () => Promise<void>) {
    this.masters = masters;
    this.replicas = replicas;
    this.stop = stop;
    this.startupNodes = [...masters, ...replicas].map(({ host, port }) => ({ host, port }));
  }

  async owner(slot: number): Promise<RedisServer> {
    const port = this.masters[0]?.port ?? 0;
    const lines = (await ask(port, [["CLUSTER", "NODES"]])).split("\n");
    const line = lines.find((each) => servesSlot(each, slot));
    const address = Number(/127\.0\.0\.1:(\d+)@/.exec(line ?? "")?.[1]);
    const owner = [...this.masters, ...this.replicas].find((server) => server.port === address);
    if (owner === undefined) throw new Error(`nobody has the slot ${slot}`);
    return owner;
  }

  async moveSlot(slot: number, to: RedisServer, pause = 0): Promise<void> {
    const from = await this.owner(slot);
    if (from.port === to.port) return;
    const [fromId, toId] = await Promise.all([from, to].map(({ port }) => ask(port, [["CLUSTER", "MYID"]])));
    const rest = (): Promise<void> => new Promise((done) => setTimeout(done, pause));
    const set = ["CLUSTER", "SETSLOT", String(slot)];
    await ask(to.port, [[...set, "IMPORTING", fromId ?? ""]]);
    await ask(from.port, [[...set, "MIGRATING", toId ?? ""]]);
    await rest();
    for (;;) {
      const keys = await ask(from.port, [["CLUSTER", "GETKEYSINSLOT", String(slot), "1"]]);
      if (keys === "") break;
      await ask(from.port, [["MIGRATE", "127.0.0.1", String(to.port), keys, "0", "5000"]]);
      await rest();
    }
    for (const { port } of [to, from, ...this.masters]) await ask(port, [[...set, "NODE", toId ?? ""]]);
  }
}

/** Of a line of `CLUSTER NODES`. Slots that move are written in brackets and count as their source's. */
function servesSlot(line: string, slot: number): boolean {
  const [, , flags, , , , , , ...ranges] = line.trim().split(" ");
  if (flags === undefined || !flags.includes("master") || flags.includes("fail")) return false;
  return ranges.some((range) => {
    const [first, last] = range.split("-").map(Number);
    return first !== undefined && first <= slot && slot <= (last ?? first);
  });
}
