import { createHash } from "node:crypto";
import { open } from "node:fs/promises";

/** What there is to know about one file. */
export interface FileCount {
  readonly bytes: number;
  /** Runs of bytes between ASCII white space, as `wc -w` counts them; of a binary file, 0. */
  readonly words: number;
  readonly binary: boolean;
  /** SHA-256, in hex. */
  readonly hash: string;
}

const CHUNK = 65_536;
/** A file with a zero byte among its first ones is binary, as git sees it. */
const LOOKED_AT = 8_000;

/** Reads a file, of any size, once. */
export async function countFile(path: string): Promise<FileCount> {
  const hash = createHash("sha256");
  const words = new WordCounter();
  let bytes = 0;
  let binary = false;
  await using file = await open(path);
  const buffer = Buffer.allocUnsafe(CHUNK);
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK);
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    if (bytes === 0) binary = chunk.subarray(0, LOOKED_AT).includes(0);
    if (!binary) words.add(chunk);
    hash.update(chunk);
    bytes += bytesRead;
  }
  return { bytes, words: words.count, binary, hash: hash.digest("hex") };
}

/** Counts words chunk by chunk; one may begin in a chunk and end in the next. */
class WordCounter {
  count = 0;
  #inside = false;

  add(chunk: Uint8Array): void {
    for (const byte of chunk) {
      const space = byte === 32 || (byte >= 9 && byte <= 13);
      if (!space && !this.#inside) this.count += 1;
      this.#inside = !space;
    }
  }
}
