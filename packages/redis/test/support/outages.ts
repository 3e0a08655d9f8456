/** Ways to break servers and connections, each with a queue that works on meanwhile, and what is asked of that. */
import { setTimeout as sleep } from "node:timers/promises";
import { Cluster } from "ioredis";
import { slotOf } from "../../src/connection/slot.js";
import { ask } from "../servers/ask.js";
import { startCluster } from "../servers/cluster.js";
import { startProxy } from "../servers/proxy.js";
import { startRedisServer, type RedisServer } from "../servers/redis-server.js";
import { startSentinelGroup } from "../servers/sentinel.js";
import { scan } from "./scan.js";
import { QUEUE, underFire, type Aftermath, type Fire } from "./under-fire.js";

/** How long things are broken: for so many seconds, and so many times, at the least. */
export interface Extent {
  readonly seconds: number;
  readonly times: number;
}

/** What came of it, and how often something was broken. */
export interface Report extends Aftermath {
  readonly times: number;
  /** What contradicts itself in the server at the end, `none` as it should be; not asked of a Cluster. */
  readonly contradiction?: string;
}

export interface Outage {
  /** A whole sentence: what holds. */
  readonly title: string;
  /** Some jobs may be lost, or run twice: what was not copied, where servers are. */
  readonly mayLose: "nothing" | "what was not copied" | "settlements that were not copied";
  /** An enqueue must have been refused meanwhile, or nothing was broken. */
  readonly refuses?: true;
  run(extent: Extent): Promise<Report>;
}

/** What the servers are told to persist. */
const SOUND: readonly string[] = ["--appendonly", "yes", "--appendfsync", "everysec"];

/** Until it has been done often and long enough; answers how often. */
async function repeatedly(
  { seconds, times }: Extent,
  interval: number,
  work: (number: number) => Promise<unknown>,
): Promise<number> {
  const end = performance.now() + seconds * 1_000;
  let done = 0;
  while (done < times || performance.now() < end) {
    done += 1;
    await work(done);
    await sleep(interval);
  }
  return done;
}

type Breaking = (fire: Fire) => Promise<number>;

/** A queue under fire, with how often something was broken. */
async function reported(
  options: Omit<Parameters<typeof underFire>[0], "break">,
  breaking: Breaking,
): Promise<Report> {
  let times = 0;
  const aftermath = await underFire({
    ...options,
    break: async (fire) => {
      times = await breaking(fire);
    },
  });
  return { ...aftermath, times };
}

/** With what contradicts itself in the server at the end. */
async function scanned(report: Report, { url }: RedisServer): Promise<Report> {
  try {
    await scan(url, "taskq", QUEUE);
    return { ...report, contradiction: "none" };
  } catch (error) {
    return { ...report, contradiction: String(error) };
  }
}

/** On one server of its own. */
async function onServer(
  serverArguments: readonly string[],
  work: (server: RedisServer) => Promise<Report>,
): Promise<Report> {
  const server = await startRedisServer({ arguments: serverArguments });
  try {
    return await scanned(await work(server), server);
  } finally {
    await server.stop();
  }
}

const connections: Outage = {
  title: "all connections killed every 100 ms lose no job and run none twice",
  mayLose: "nothing",
  run: (extent) =>
    onServer(SOUND, (server) => {
      const kill = [
        ["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"],
        ["CLIENT", "KILL", "TYPE", "pubsub"],
      ];
      return reported({ storage: { url: server.url } }, () =>
        repeatedly(extent, 100, () => ask(server.port, kill)),
      );
    }),
};

const restarts: Outage = {
  title: "a server killed and started again loses no job and runs none twice",
  mayLose: "nothing",
  run: (extent) =>
    onServer(SOUND, (server) =>
      reported({ storage: { url: server.url }, lease: "10s" }, (fire) =>
        repeatedly(extent, 400, async () => {
          await server.restart();
          await fire.resumed();
        }),
      ),
    ),
};

const freezes: Outage = {
  title: "a server that freezes for longer than a call may take loses no job",
  mayLose: "nothing",
  refuses: true,
  run: (extent) =>
    onServer(SOUND, (server) =>
      reported({ storage: { url: server.url, timeout: "1s" } }, (fire) =>
        repeatedly(extent, 500, async () => {
          server.pause();
          await sleep(1_500);
          server.resume();
          await fire.resumed();
        }),
      ),
    ),
};

const silences: Outage = {
  title: "connections that fall silent lose no job and run none twice",
  mayLose: "nothing",
  run: (extent) =>
    onServer(SOUND, async (server) => {
      const proxy = await startProxy(server.port);
      try {
        return await reported({ storage: { url: proxy.url, timeout: "2s" } }, () =>
          repeatedly(extent, 1_500, async () => proxy.freeze()),
        );
      } finally {
        await proxy.close();
      }
    }),
};

const troubles: Outage = {
  title:
    "scripts forgotten, and a server that is a replica, or kept busy, for a moment, lose no job and run none twice",
  mayLose: "nothing",
  run: (extent) =>
    onServer([...SOUND, "--lua-time-limit", "50"], ({ url, port }) => {
      const each = [
        () => ask(port, [["SCRIPT", "FLUSH"]]),
        async () => {
          await ask(port, [["REPLICAOF", "127.0.0.1", "1"]]);
          await sleep(300);
          await ask(port, [["REPLICAOF", "NO", "ONE"]]);
        },
        async () => {
          const endless = [["EVAL", "while true do end", "0"]];
          const busy = ask(port, endless, undefined, 10_000).catch(() => {});
          await sleep(300);
          await ask(port, [["SCRIPT", "KILL"]]).catch(() => {});
          await busy;
        },
      ];
      return reported({ storage: { url } }, () =>
        repeatedly(extent, 200, async (number) => each[number % each.length]?.()),
      );
    }),
};

const fullness: Outage = {
  title: "a server that is full for a moment refuses, and loses no job",
  mayLose: "nothing",
  refuses: true,
  run: (extent) =>
    onServer(SOUND, ({ url, port }) => {
      const limit = (bytes: string): Promise<string> => ask(port, [["CONFIG", "SET", "maxmemory", bytes]]);
      return reported({ storage: { url }, refused: true }, () =>
        repeatedly(extent, 200, async () => {
          await limit("1");
          await sleep(200);
          await limit("0");
        }),
      );
    }),
};

const slots: Outage = {
  title: "a slot that moves under load loses no job and runs none twice",
  mayLose: "nothing",
  async run(extent) {
    const cluster = await startCluster({ arguments: SOUND });
    const client = new Cluster(cluster.startupNodes, { lazyConnect: true });
    try {
      const slot = slotOf("{fire}");
      return await reported({ storage: { client } }, () =>
        repeatedly(extent, 500, async (number) => {
          const next = cluster.masters[number % cluster.masters.length];
          if (next !== undefined) await cluster.moveSlot(slot, next, 10);
        }),
      );
    } finally {
      client.disconnect();
      await cluster.stop();
    }
  },
};

/** By turns asked for, and by a kill of the master. */
function failOversOf(minReplicas: 0 | 1): Outage {
  const copied = minReplicas === 1;
  return {
    title: copied
      ? "fail-overs by Sentinels hang nothing, and lose no job of which a replica has a copy"
      : "fail-overs by Sentinels hang nothing, and lose at most what was not copied",
    // settlements are not waited for: a run whose outcome was not copied runs again
    mayLose: copied ? "settlements that were not copied" : "what was not copied",
    async run(extent) {
      const group = await startSentinelGroup(SOUND);
      try {
        const connection = { sentinels: [...group.sentinels], name: group.name };
        const report = await reported({ storage: { connection, minReplicas }, lease: "3s" }, (fire) =>
          repeatedly(extent, 1_000, async (number) => {
            if (number % 2 === 1) await group.failOver();
            else await group.crash();
            await fire.resumed();
            await group.settled();
          }),
        );
        return await scanned(report, await group.master());
      } finally {
        await group.stop();
      }
    },
  };
}

/** By the name that the command `faults` knows them by. */
export const outages = {
  connections,
  restarts,
  freezes,
  silences,
  troubles,
  fullness,
  slots,
  "fail-overs": failOversOf(1),
  "uncopied-fail-overs": failOversOf(0),
} as const satisfies Readonly<Record<string, Outage>>;
