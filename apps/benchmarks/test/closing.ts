import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";

const closing: (() => PromiseLike<void> | void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});

/** Runs after the test, the last one first. */
export function afterTest(close: () => PromiseLike<void> | void): void {
  closing.push(close);
}

/** A file of a folder that is gone after the test. */
export function temporaryFile(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), "taskq-signed-"));
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, name);
}
