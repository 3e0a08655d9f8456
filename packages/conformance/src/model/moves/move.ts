/** A move of the model test: the same request to both storages, and the answers compared. */
import type { AsyncCommand } from "fast-check";
import { observe } from "../observe.js";
import { settleRandom } from "../random-due.js";
import type { World } from "../world.js";

/** Says in `world.said` what it does, does it on both sides and compares what they answer. */
export type Play = (world: World) => Promise<void>;

/** fast-check's own model: none, since the reference storage is the model. */
export type NoModel = Record<string, never>;

export class Move implements AsyncCommand<NoModel, World> {
  readonly #name: string;
  readonly #play: Play;
  #said = "";

  constructor(name: string, play: Play) {
    this.#name = name;
    this.#play = play;
  }

  check(): boolean {
    return true;
  }

  async run(_: NoModel, world: World): Promise<void> {
    world.said = "";
    try {
      await this.#play(world);
      await settleRandom(world);
      await observe(world);
    } finally {
      // While it shrinks, a move is made again where it may find nothing to do.
      if (world.said !== "") this.#said = world.said;
      if (world.said !== "") world.journal.push(`${this.#name}: ${world.said}`);
    }
  }

  toString(): string {
    return this.#said === "" ? this.#name : `${this.#name}: ${this.#said}`;
  }
}
