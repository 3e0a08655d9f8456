import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { deferred } from "../deferred.js";
import { on, type Cpu } from "../servers/placement.js";
import type { MessageFromRole, MessageToRole } from "./channel.js";
import type { RoleName, Roles } from "./roles.js";

/** A role in a process of its own. */
export interface RunningRole<Answer> {
  readonly pid: number;
  /** Resolves when everything is open. */
  readonly ready: Promise<void>;
  /** Rejects when the process ended without an answer. */
  readonly answer: Promise<Answer>;
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>;
  go(): void;
  stop(): void;
  /** Kills this very process, without a chance to do anything. */
  kill(): void;
  onProgress(listener: (count: number) => void): void;
}

/** Servers of our own persist nothing, and need not be told of in each process. */
const QUIET = "--disable-warning=TASKQ_REDIS_PERSISTENCE";

/** Starts a role: `src/role.ts` in a fresh process, on a CPU. */
export function startRole<Name extends RoleName>(
  name: Name,
  configuration: Roles[Name]["configuration"],
  cpu?: Cpu,
): RunningRole<Roles[Name]["answer"]> {
  const program = fileURLToPath(new URL("../role.js", import.meta.url));
  const [execPath = "", ...execArgv] = on(cpu, [process.execPath, QUIET]);
  const child = fork(program, [name, JSON.stringify(configuration)], {
    execPath,
    execArgv,
    serialization: "advanced",
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ready = deferred<void>();
  const answer = deferred<Roles[Name]["answer"]>();
  const exited = deferred<{ code: number | null; signal: NodeJS.Signals | null }>();
  const listeners: ((count: number) => void)[] = [];
  // Whoever needs one of them waits for it; nobody has to.
  for (const promise of [ready.promise, answer.promise]) promise.catch(() => {});

  const fail = (error: Error): void => {
    ready.reject(error);
    answer.reject(error);
  };
  child.on("message", (message: MessageFromRole) => {
    if (message.kind === "ready") ready.resolve();
    else if (message.kind === "progress") for (const listener of listeners) listener(message.count);
    else if (message.kind === "done") answer.resolve(message.answer as Roles[Name]["answer"]);
    else fail(new Error(`role ${name} failed: ${message.message}`));
  });
  child.on("exit", (code, signal) => {
    fail(new Error(`role ${name} ended without an answer: ${signal ?? `code ${code}`}`));
    exited.resolve({ code, signal });
  });
  const tell = (message: MessageToRole): void => {
    if (child.connected) child.send(message, () => {});
  };
  return {
    pid: child.pid ?? -1,
    ready: ready.promise,
    answer: answer.promise,
    exited: exited.promise,
    go: () => tell({ kind: "go" }),
    stop: () => tell({ kind: "stop" }),
    kill: () => child.kill("SIGKILL"),
    onProgress: (listener) => listeners.push(listener),
  };
}
