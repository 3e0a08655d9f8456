import { createHash } from "node:crypto";

/** SHA-256 of all that was written so far. */
export class LineHash {
  readonly #hash = createHash("sha256");

  /** Answers the line itself. */
  added(line: string): string {
    this.#hash.update(line);
    return line;
  }

  hex(): string {
    return this.#hash.copy().digest("hex");
  }
}
