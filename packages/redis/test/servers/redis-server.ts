/**
 * Real servers for the tests, as children of this process, on free ports of the loopback.
 *
 * `TASKQ_REDIS_SERVER` names another binary; else `redis-server` or `valkey-server` of the PATH, else the private copy
 * below `.cache/` that `npm test` unpacks on Debian and Ubuntu.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serverBinary, type ServerBinary } from "./binary.js";
import { ask } from "./ask.js";
import { freePort } from "./ports.js";

/**
 * In memory where there is such a file system: while a slow disk is waited for, Redis puts off writing its append-only file, up to
 * two seconds, and answers all the same. A server that is killed then loses that, which is no fault of ours and fails a test.
 */
function dataFolder(): string {
  return existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}

/** A server that a test started, and may kill. */
export interface RedisServer {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** `redis://127.0.0.1:port` */
  readonly url: string;
  /** Where it keeps its files. */
  readonly folder: string;
  /** Of the running process. */
  readonly pid: number;
  /** What it wrote to its log. */
  log(): string;
  /** SIGKILL. Resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: it takes connections and bytes (the kernel does), and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Starts it again on the same port with the same files, after `kill`; resolves when it answers. */
  restart(moreArguments?: readonly string[]): Promise<void>;
  /** Ends it for good and removes its folder. */
  stop(): Promise<void>;
}

export interface ServerOptions {
  /** As on the command line: `["--appendonly", "yes"]`. */
  readonly arguments?: readonly string[];
  /** `sentinel`: started with `--sentinel`; its configuration file has the lines of `configuration`. */
  readonly sentinel?: { readonly configuration: (folder: string, port: number) => string };
  readonly binary?: ServerBinary;
  /** The password that `PING` needs; it is in `arguments` as well. */
  readonly password?: string;
}

const STARTED_WITHIN = 20_000;
/**
 * Starts the server and kills it when our end of the pipe is closed: also when this process is killed, and can do nothing.
 * Ends with the server.
 */
export const KEEPER = `exec 3<&0
"$@" 3<&- &
server=$!
echo $server > keeper.pid
(cat <&3 >/dev/null; kill -9 $server 2>/dev/null) &
wait $server`;

/** Starts a server and waits until it answers. Nothing is persisted unless the arguments say so. */
export async function startRedisServer(options: ServerOptions = {}): Promise<RedisServer> {
  const binary = options.binary ?? serverBinary();
  if (binary === undefined) throw new Error("no redis-server here; see test/servers/binary.ts");
  const folder = mkdtempSync(join(dataFolder(), "taskq-redis-"));
  for (let attempt = 1; ; attempt += 1) {
    const server = new ChildServer(binary, folder, await freePort(), options);
    try {
      await server.start([]);
      return server;
    } catch (error) {
      await server.kill();
      // somebody else took the port between our look and the server's bind
      if (attempt < 5 && server.log().includes("Address already in use")) continue;
      await server.stop();
      throw error;
    }
  }
}

class ChildServer implements RedisServer {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly url: string;
  readonly folder: string;
  readonly #binary: ServerBinary;
  readonly #options: ServerOptions;
  /** The keeper of the server. */
  #child: ChildProcess | undefined;
  #pid: number | undefined;

  constructor(binary: ServerBinary, folder: string, port: number, options: ServerOptions) {
    this.#binary = binary;
    this.#options = options;
    this.folder = folder;
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
  }

  get pid(): number {
    if (this.#pid === undefined) throw new Error("the server is not running");
    return this.#pid;
  }

  log(): string {
    return readFileSync(join(this.folder, "log"), "utf8");
  }

  async start(moreArguments: readonly string[]): Promise<void> {
    const output = openSync(join(this.folder, "log"), "a");
    const command = [this.#binary.path, ...this.#arguments(), ...moreArguments];
    const child = spawn("/bin/sh", ["-c", KEEPER, "keeper", ...command], {
      cwd: this.folder,
      env: this.#binary.environment,
      stdio: ["pipe", output, output],
    });
    closeSync(output);
    this.#child = child;
    child.once("exit", () => child.stdin?.end());
    child.stdin?.on("error", () => {});
    await once(child, "spawn");
    await this.#untilReady(child);
  }

  async kill(): Promise<void> {
    await this.#end();
  }

  pause(): void {
    process.kill(this.pid, "SIGSTOP");
  }

  resume(): void {
    process.kill(this.pid, "SIGCONT");
  }

  async restart(moreArguments: readonly string[] = []): Promise<void> {
    await this.kill();
    await this.start(moreArguments);
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  #arguments(): readonly string[] {
    const { sentinel } = this.#options;
    const own = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.folder];
    if (sentinel !== undefined) {
      return [sentinel.configuration(this.folder, this.port), "--sentinel", ...own];
    }
    const quiet = ["--save", "", "--appendonly", "no", "--daemonize", "no"];
    return [...own, ...quiet, ...(this.#options.arguments ?? [])];
  }

  async #end(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    this.#pid = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    // the keeper kills it
    child.stdin?.end();
    await gone;
  }

  /** Until the process that answers on the port is ours. */
  async #untilReady(child: ChildProcess): Promise<void> {
    const until = Date.now() + STARTED_WITHIN;
    let last: unknown;
    while (Date.now() < until) {
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(`the server ended at once:\n${this.log()}`);
      }
      try {
        const info = await ask(this.port, [["INFO", "server"]], this.#options.password);
        const pid = Number(/process_id:(\d+)/.exec(info)?.[1]);
        if (pid !== Number(readFileSync(join(this.folder, "keeper.pid"), "utf8")))
          throw new Error(`process ${pid} has the port ${this.port}`);
        this.#pid = pid;
        return;
      } catch (error) {
        last = error;
        await new Promise((done) => setTimeout(done, 20));
      }
    }
    throw new Error(`the server did not answer:\n${this.log()}`, { cause: last });
  }
}
