/** The suite: every promise of the storage contract against a storage, once as it is and once with every call repeated. */
import assert from "node:assert/strict";
import type { StorageContract } from "@taskq/core/storage";
import { Context } from "./context.js";
import { contractOf, type Fixture } from "./fixture.js";
import { checkInvariants } from "./invariants.js";
import type { ContractPromise } from "./promise.js";
import { repeating, Traffic } from "./repeating.js";
import { SUBJECTS } from "./subjects.js";

/** The test runner: `{ describe, test }` of vitest, of `node:test`, or of another that knows these two. */
export interface Runner {
  readonly describe: (name: string, body: () => void) => unknown;
  /** `timeout` in milliseconds, of tests that take long; a runner that does not know it has none. */
  readonly test: (name: string, body: () => Promise<void>, timeout?: number) => unknown;
}

export interface StorageSuiteOptions {
  readonly runner: Runner;
  /** Name of the storage. */
  readonly name: string;
  /** Makes a fresh, empty store; called for each test. */
  readonly create: () => Promise<Fixture>;
  /**
   * Promises that the storage does not keep, by title, each with the reason. One that is kept all the same fails.
   *
   * @default none
   */
  readonly waivers?: Readonly<Record<string, string>> | undefined;
}

/**
 * Declares a test for every promise of the storage contract, with the runner given. Each test has a fresh store and
 * virtual time, and ends with a scan of what must hold in every store. A second round repeats every mutating call, as
 * a caller does whose answer got lost.
 *
 * Throws on a waiver without a reason and on one of no promise.
 *
 * @example
 * import { describe, test } from "vitest";
 * storageSuite({
 *   runner: { describe, test },
 *   name: "memory",
 *   create: async () => {
 *     const storage = memoryStorage();
 *     return { storage, close: async () => storage[Symbol.asyncDispose]() };
 *   },
 * });
 */
export function storageSuite(options: StorageSuiteOptions): void {
  checkWaivers(options.waivers ?? {});
  declare(options, `${options.name} storage`, false);
  declare(options, `${options.name} storage, every mutating call repeated`, true);
  declareWaived(options);
}

function declare(options: StorageSuiteOptions, name: string, repeated: boolean): void {
  const { describe, test } = options.runner;
  describe(name, () => {
    for (const { name: subject, promises } of SUBJECTS) {
      describe(subject, () => {
        for (const promise of promises) {
          if (repeated && promise.unrepeated !== undefined) continue;
          if (options.waivers?.[promise.title] !== undefined) continue;
          test(promise.title, () => keep(promise, options.create, repeated));
        }
      });
    }
  });
}

function declareWaived({ runner, name, waivers = {}, create }: StorageSuiteOptions): void {
  const waived = SUBJECTS.flatMap(({ promises }) => promises).filter(({ title }) => title in waivers);
  if (waived.length === 0) return;
  runner.describe(`${name} storage, waived`, () => {
    for (const promise of waived) {
      runner.test(`${promise.title} (waived: ${waivers[promise.title]})`, async () => {
        const rounds = promise.unrepeated === undefined ? [false, true] : [false];
        await assert.rejects(async () => {
          for (const repeated of rounds) await keep(promise, create, repeated);
        }, "waived, but holds");
      });
    }
  });
}

async function keep(
  promise: ContractPromise,
  create: () => Promise<Fixture>,
  repeated: boolean,
): Promise<void> {
  const fixture = await create();
  const traffic = new Traffic();
  const wrap = (storage: StorageContract): StorageContract =>
    repeated ? repeating(storage, traffic) : storage;
  const storage = wrap(contractOf(fixture.storage));
  const context = new Context(storage, async () =>
    fixture.second === undefined ? storage : wrap(contractOf(await fixture.second())),
  );
  try {
    await context.open();
    await promise.check(context);
    await checkInvariants(context);
  } finally {
    await context.closeSecond();
    await fixture.close();
  }
}

function checkWaivers(waivers: Readonly<Record<string, string>>): void {
  const titles = new Set(SUBJECTS.flatMap(({ promises }) => promises.map(({ title }) => title)));
  for (const [title, reason] of Object.entries(waivers)) {
    if (!titles.has(title)) throw new RangeError(`a waiver of no promise: "${title}"`);
    if (reason.trim() === "") throw new RangeError(`a waiver without a reason: "${title}"`);
  }
}
