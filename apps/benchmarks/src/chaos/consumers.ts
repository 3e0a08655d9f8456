import { join } from "node:path";
import { nanoseconds, pause } from "../clock.js";
import { integerBetween } from "../random.js";
import { startRole, type RunningRole } from "../roles/start-role.js";
import type { ChaosConsumer, ChaosConsumerAnswer } from "./consumer-role.js";

/** What each of them is told. */
type Kind = Pick<ChaosConsumer, "store" | "flaw" | "beating">;

interface Slot {
  readonly number: number;
  readonly role: RunningRole<ChaosConsumerAnswer>;
}

/** Consumer processes of which a random one is killed and replaced, again and again. */
export class Consumers {
  /** Those that were killed, by number, which is never used again, with the nanosecond by which they were gone. */
  readonly killed = new Map<number, number>();
  /** What went wrong with consumers that nobody killed. */
  readonly problems: string[] = [];
  readonly #slots: Slot[] = [];
  readonly #folder: string;
  readonly #kind: Kind;
  #started = 0;
  #stopping = false;

  constructor(folder: string, kind: Kind) {
    this.#folder = folder;
    this.#kind = kind;
  }

  get started(): number {
    return this.#started;
  }

  start(count: number): void {
    for (let index = 0; index < count; index += 1) this.#slots.push(this.#startOne());
  }

  /** Kills every 50 to 200 ms until `done` says so. */
  async killUntil(done: () => boolean, random: () => number): Promise<void> {
    while (!done()) {
      await pause(integerBetween(random, 50, 200));
      const index = integerBetween(random, 0, this.#slots.length - 1);
      const slot = this.#slots[index];
      if (slot === undefined) continue;
      this.killed.set(slot.number, Infinity);
      slot.role.kill();
      await slot.role.exited;
      this.killed.set(slot.number, nanoseconds());
      this.#slots[index] = this.#startOne();
    }
  }

  /** Lets all of them finish what they have begun. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const { role } of this.#slots) {
      role.stop();
      await role.answer.catch((error: unknown) => this.problems.push(String(error)));
    }
  }

  /** File into which a consumer writes its runs. */
  logOf(number: number): string {
    return join(this.#folder, `consumer-${number}.log`);
  }

  #startOne(): Slot {
    const number = this.#started;
    this.#started += 1;
    const role = startRole("chaos-consumer", { log: this.logOf(number), ...this.#kind });
    void this.#watch(number, role);
    return { number, role };
  }

  async #watch(number: number, role: RunningRole<ChaosConsumerAnswer>): Promise<void> {
    const { code, signal } = await role.exited;
    if (this.#stopping || this.killed.has(number)) return;
    this.problems.push(`consumer ${number} ended by itself: ${signal ?? `code ${code}`}`);
  }
}
