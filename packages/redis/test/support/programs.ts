/** Programs of users, each in a process of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { afterTest } from "./closing.js";

/** Where programs find the packages as they are published. */
const CWD = new URL("..", import.meta.url);

export interface Program {
  /** Resolves once it has written this. */
  readonly says: (text: string) => Promise<void>;
  readonly signal: (signal: NodeJS.Signals) => void;
  readonly isRunning: () => boolean;
  /** How it ended by itself, and what it wrote. */
  readonly end: () => Promise<{ readonly code: number | null; readonly output: string }>;
}

/** Starts a program that has a task, a queue on a storage that is written so, and does what is said. */
export function start(storage: string, does: string): Program {
  const source = `
    import { createConsumer } from "@taskq/consumer";
    import { createQueue, task } from "@taskq/core";
    import { redisStorage } from "@taskq/redis";
    import { Cluster } from "ioredis";
    process.on("warning", () => {});
    const double = task("double", async (n) => 2 * n);
    const storage = redisStorage(${storage});
    const queue = createQueue({ storage, tasks: [double] });
    ${does}`;
  const node = ["--no-warnings", "--input-type=module", "--eval", source];
  const child = spawn(process.execPath, node, { cwd: CWD, stdio: ["ignore", "pipe", "pipe"] });
  afterTest(() => void child.kill("SIGKILL"));
  const ended = once(child, "close");
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += String(data)));
  return {
    says: (text) => expect.poll(() => output, { timeout: 10_000 }).toContain(text),
    signal: (signal) => void child.kill(signal),
    isRunning: () => child.exitCode === null && child.signalCode === null,
    end: async () => {
      await Promise.race([ended, sleep(10_000, undefined, { ref: false })]);
      return { code: child.exitCode, output };
    },
  };
}

/** All that many a program does. */
export const ENQUEUES = "await queue.enqueue(double.job(1));";
