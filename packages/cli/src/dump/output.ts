/** Where a dump is written: a file that has its name only once it is whole, or standard output. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import type { Writable } from "node:stream";
import { UserError } from "../user-error.js";

export interface Output {
  /** Resolves when there is room for more. */
  write(text: string): Promise<void>;
  /** All is on the disk, under its name. */
  finish(): Promise<void>;
  /** Removes what was written, where that is possible. */
  discard(): Promise<void>;
}

/** Readable by its owner only, like a database. */
const MODE = 0o600;
/** Text that is written at once. */
const AT_ONCE = 65_536;

/** @param path `undefined`: standard output. @throws {UserError} if there is such a file */
export async function outputTo(path: string | undefined): Promise<Output> {
  return path === undefined ? new StreamOutput(process.stdout) : fileOutput(path);
}

async function fileOutput(path: string): Promise<Output> {
  if (existsSync(path)) throw new UserError(`${path} is there already; give another name, or remove it`);
  const partial = `${path}.part`;
  const refuse = (error: Error): never => {
    throw new UserError(`cannot write ${partial}: ${error.message}`, { cause: error });
  };
  const file = await open(partial, "w", MODE).catch(refuse);
  let waiting = "";
  const flush = async (): Promise<void> => {
    const text = waiting;
    waiting = "";
    await file.writeFile(text).catch(refuse);
  };
  return {
    write: async (text) => {
      waiting += text;
      if (waiting.length >= AT_ONCE) await flush();
    },
    finish: async () => {
      await flush();
      await file.sync().catch(refuse);
      await file.close().catch(refuse);
      await rename(partial, path).catch(refuse);
    },
    discard: async () => {
      // Whoever discards it has an error to tell, and a queue to open again.
      await file.close().catch(() => {});
      await rm(partial, { force: true }).catch(() => {});
    },
  };
}

class StreamOutput implements Output {
  readonly #stream: Writable;
  #error: Error | undefined;

  constructor(stream: Writable) {
    this.#stream = stream;
    stream.on("error", (error) => (this.#error = error));
  }

  async write(text: string): Promise<void> {
    this.#refuseBroken();
    if (!this.#stream.write(text)) await once(this.#stream, "drain").catch(() => {});
    this.#refuseBroken();
  }

  async finish(): Promise<void> {
    await new Promise((resolve) => this.#stream.write("", resolve));
    this.#refuseBroken();
  }

  async discard(): Promise<void> {
    // What reads it is told by the missing end.
  }

  #refuseBroken(): void {
    if (this.#error === undefined) return;
    throw new UserError(`whoever was to read the dump has gone (${this.#error.message})`, {
      cause: this.#error,
    });
  }
}
