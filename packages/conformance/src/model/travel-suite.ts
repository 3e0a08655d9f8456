import assert from "node:assert/strict";
import type { Storage } from "@taskq/core";
import type { StorageContract } from "@taskq/core/storage";
import { contractOf } from "../fixture.js";
import type { Runner } from "../storage-suite.js";
import { modelSuite } from "./model-suite.js";
import { Travelling } from "./travelling.js";

export interface TravelSuiteOptions {
  readonly runner: Runner;
  /** Of what it travels on: `sqlite and memory`. */
  readonly name: string;
  /** Make fresh, empty stores, for each sequence of moves anew: one after the other, over and over. */
  readonly stores: readonly (() => Storage | StorageContract)[];
  /** The storage that is known to be right: `memoryStorage()` of `@taskq/memory`. */
  readonly reference: () => Storage | StorageContract;
  /** Called when all storages of a sequence are closed. @default nothing is done */
  readonly closed?: (() => Promise<void>) | undefined;
  /** Sequences of moves. @default 25 */
  readonly runs?: number | undefined;
  /** Calls that change something from one move to the next. @default 3 */
  readonly every?: number | undefined;
}

const RUNS = 25;
const EVERY = 3;

/**
 * Declares the tests of `modelSuite` on a queue that moves all the while from store to store: it must not be told from
 * one that stays. That every kind of move occurs is for the model test of a storage that stays: it has more sequences.
 *
 * @example
 * travelSuite({
 *   runner: { describe, test },
 *   name: "sqlite and memory",
 *   stores: [() => sqliteStorage({ path: newPath() }), () => memoryStorage()],
 *   reference: () => memoryStorage(),
 * });
 */
export function travelSuite(options: TravelSuiteOptions): void {
  const { runner, name, stores, reference, closed, runs = RUNS, every = EVERY } = options;
  const { describe, test } = runner;
  let moves = 0;
  modelSuite({
    runner: {
      describe,
      test: (title, body, timeout) =>
        title.startsWith("sequences") ? test(title, body, timeout) : undefined,
    },
    name: `a queue that travels on ${name}, as a`,
    create: async () => {
      const traveller = new Travelling(
        stores.map((make) => () => contractOf(make())),
        every,
      );
      return {
        storage: traveller.storage,
        close: async () => {
          moves += traveller.moves;
          await traveller.close();
          await closed?.();
        },
      };
    },
    reference: async () => {
      const stays = new Travelling([() => contractOf(reference())], Infinity);
      return { storage: stays.storage, close: () => stays.close() };
    },
    runs,
  });
  describe(`a queue that travels on ${name}`, () => {
    test("did travel", async () => {
      assert.ok(moves > runs * every, `expected more than ${runs * every} moves, got ${moves}`);
    });
  });
}
