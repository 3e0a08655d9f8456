import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { ConsumerOptions } from "../src/index.js";
import { until } from "./support.js";

interface Message {
  readonly type: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly id?: string;
  readonly code?: string;
  readonly usage?: NodeJS.CpuUsage;
}

const script = fileURLToPath(new URL("./fixtures/worker.mjs", import.meta.url));

/** A consumer of the queue `default` in a SQLite file, in a process of its own, killed at the end of the test. */
export class ChildWorker {
  readonly process: ChildProcess;
  readonly messages: Message[] = [];
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;

  constructor(path: string, options: Omit<ConsumerOptions, "setup" | "teardown" | "resources"> = {}) {
    this.process = fork(script, [JSON.stringify({ path, options })]);
    this.process.on("message", (message) => this.messages.push(message as Message));
    this.ended = new Promise((resolve) => {
      this.process.on("exit", (code, signal) => resolve(code ?? signal ?? "unknown"));
    });
    onTestFinished(() => void this.process.kill("SIGKILL"));
  }

  get pid(): number {
    return this.process.pid ?? 0;
  }

  /** Resolves with the message once one of this type is there. */
  async heard(type: string, limit = 8_000): Promise<Message> {
    const find = () => this.messages.find((message) => message.type === type);
    await until(() => find() !== undefined, limit);
    return find() as Message;
  }
}
