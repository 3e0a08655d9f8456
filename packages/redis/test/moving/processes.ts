/** `taskq` as a user would start it, on modules in a folder of the test. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const BIN = fileURLToPath(new URL("bin.js", import.meta.resolve("@taskq/cli")));

/** How it ended, and what it printed. */
export interface Ended {
  readonly pid: number;
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

export class Taskq {
  readonly #child: ChildProcess;
  readonly ended: Promise<Ended>;
  #output = "";
  #errors = "";

  constructor(folder: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const child = spawn(process.execPath, [BIN, ...args], {
      cwd: folder,
      // Warnings are of the server of the test.
      env: { ...process.env, NODE_NO_WARNINGS: "1", ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (this.#output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#errors += text));
    this.#child = child;
    this.ended = once(child, "close").then(() => ({
      pid: this.pid,
      code: child.exitCode,
      signal: child.signalCode,
      output: this.#output,
      errors: this.#errors,
    }));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get output(): string {
    return this.#output;
  }

  get runs(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  kill(signal: NodeJS.Signals): void {
    if (this.runs) this.#child.kill(signal);
  }
}

/** Runs it to its end. */
export function taskq(
  folder: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Taskq(folder, args, environment).ended;
}
