import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("../dist/bin.js", import.meta.url));
/** Below this package, so that modules in it find `@taskq/core` and the storages. */
const CACHE = fileURLToPath(new URL("../.cache", import.meta.url));
const PATIENCE = 15_000;

/** A project of a user, with these files; removed when disposed of. */
export class Project implements AsyncDisposable {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async with(files: Readonly<Record<string, string>>): Promise<Project> {
    await mkdir(CACHE, { recursive: true });
    const project = new Project(await mkdtemp(join(CACHE, "project-")));
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(project.path(name)), { recursive: true });
      await writeFile(project.path(name), text);
    }
    return project;
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  /** Starts the built command, as a shell in this project would. */
  taskq(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    stdout?: number,
  ): Command {
    return new Command(args, { cwd: this.folder, environment, stdout });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

interface Surroundings {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** An open file to print to; `undefined`: a pipe that is read. */
  readonly stdout: number | undefined;
}

/** A running `taskq`; killed when disposed of, if it still runs. */
export class Command implements AsyncDisposable {
  #output = "";
  #errors = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(args: readonly string[], { cwd, environment, stdout }: Surroundings) {
    this.#child = spawn(process.execPath, [BIN, ...args], {
      cwd,
      env: { ...process.env, TZ: "Europe/Paris", ...environment },
      stdio: ["ignore", stdout ?? "pipe", "pipe"],
    });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    this.#ended = once(this.#child, "close");
  }

  get output(): string {
    return this.#output;
  }

  get errors(): string {
    return this.#errors;
  }

  /** Answers once it has printed that. */
  async printed(pattern: RegExp | string): Promise<void> {
    const found = (): boolean =>
      typeof pattern === "string" ? this.#output.includes(pattern) : pattern.test(this.#output);
    const until = Date.now() + PATIENCE;
    while (!found()) {
      if (this.#child.exitCode !== null || Date.now() > until) {
        throw new Error(`taskq did not print ${String(pattern)}, but:\n${this.#output}\n${this.#errors}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Nobody reads any more what it prints. */
  leave(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Its exit code. */
  async ended(): Promise<number | null> {
    await this.#ended;
    return this.#child.exitCode;
  }

  /** Stops it by SIGTERM and answers its exit code. */
  async stop(): Promise<number | null> {
    this.signal("SIGTERM");
    return this.ended();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
