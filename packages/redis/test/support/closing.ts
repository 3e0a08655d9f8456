/** What a test opened is closed after it, the last first. */
import { afterEach } from "vitest";

const closing: (() => PromiseLike<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Runs after the test. */
export function afterTest(close: () => PromiseLike<void> | void): void {
  closing.push(close);
}
