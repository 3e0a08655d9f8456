import { statSync } from "node:fs";
import { join } from "node:path";
import type { CompetitorName } from "../peers/competitor.js";
import { isOnRedis } from "../peers/competitors.js";
import { placement, type Cpu } from "../servers/placement.js";
import { startRedisServer } from "../servers/redis-server.js";
import { scratchFolder } from "../scratch-folder.js";

/** A fresh place for the jobs of one measurement, gone when it is disposed of. */
export interface Place extends AsyncDisposable {
  /** The file, or the URL of the server. */
  readonly path: string;
  /** Where roles run. */
  readonly cpu: Cpu;
  /** Bytes of everything in it, once nobody has it open. */
  size(): Promise<number>;
  /** Microseconds of CPU that the server has used so far; NaN of a file. */
  serverCpu(): Promise<number>;
  /** Commands that the server is sent within so many milliseconds; NaN of a file. */
  sentWithin(milliseconds: number): Promise<number>;
}

/** A file in a folder of its own below `directory`, or a server of its own. */
export function openPlace(competitor: CompetitorName, directory: string): Promise<Place> {
  return isOnRedis(competitor) ? openServer() : Promise.resolve(openFile(directory));
}

function openFile(directory: string): Place {
  const folder = scratchFolder(directory);
  const path = join(folder.path, "queue.db");
  const files = [path, `${path}-wal`];
  return {
    path,
    cpu: undefined,
    async size() {
      const sizes = files.map((file) => statSync(file, { throwIfNoEntry: false })?.size ?? 0);
      return sizes.reduce((sum, size) => sum + size, 0);
    },
    serverCpu: async () => Number.NaN,
    sentWithin: async () => Number.NaN,
    async [Symbol.asyncDispose]() {
      folder[Symbol.dispose]();
    },
  };
}

async function openServer(): Promise<Place> {
  const server = await startRedisServer();
  const empty = await server.memory();
  return {
    path: server.url,
    cpu: placement.clients,
    size: async () => (await server.memory()) - empty,
    serverCpu: () => server.cpu(),
    sentWithin: (milliseconds) => server.sentWithin(milliseconds),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
