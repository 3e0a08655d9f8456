import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A fresh folder, removed when it is disposed of. */
export interface ScratchFolder extends Disposable {
  readonly path: string;
}

/** Makes a folder for files that only this run needs. */
export function scratchFolder(parent: string = tmpdir()): ScratchFolder {
  const path = mkdtempSync(join(parent, "taskq-bench-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
