import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Report, SentEvent } from "./report.js";

const PROGRAM = fileURLToPath(new URL("consumer.js", import.meta.url));

/** What consumer processes tell, and by whom. */
export interface Listener {
  onEvent?(source: string, event: SentEvent): void;
  onCounted?(files: number, words: number): void;
}

/** Consumer processes on one store. */
export class Consumers {
  readonly #children: ChildProcess[] = [];
  readonly #place: string;
  readonly #listener: Listener;

  constructor(place: string, listener: Listener) {
    this.#place = place;
    this.#listener = listener;
  }

  /** Starts so many processes, with so many workers each, and answers once all of them claim jobs. */
  async start(processes: number, workers: number): Promise<void> {
    await Promise.all(Array.from({ length: processes }, (_, index) => this.#startOne(index + 1, workers)));
  }

  async #startOne(index: number, workers: number): Promise<void> {
    const child = fork(PROGRAM, [this.#place, String(workers)]);
    this.#children.push(child);
    await new Promise<void>((resolve, reject) => {
      child.on("message", (report: Report) => {
        if (report.kind === "ready") resolve();
        else if (report.kind === "event") this.#listener.onEvent?.(`consumer ${index}`, report.event);
        else this.#listener.onCounted?.(report.files, report.words);
      });
      child.once("error", reject);
      child.once("exit", (code) =>
        reject(new Error(`consumer ${index} ended with code ${code} before it was ready`)),
      );
    });
  }

  get processIds(): readonly number[] {
    return this.#children.flatMap(({ pid }) => pid ?? []);
  }

  /** Asks all of them to stop, by SIGTERM, and answers their exit codes once they have ended. */
  async stop(): Promise<readonly (number | null)[]> {
    return Promise.all(
      this.#children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
        const ended = once(child, "exit");
        child.kill("SIGTERM");
        await ended;
        return child.exitCode;
      }),
    );
  }
}
