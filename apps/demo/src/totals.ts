import { createHash } from "node:crypto";
import type { FileCount } from "./count-file.js";

/** What all files of a folder come to. */
export interface Totals {
  readonly files: number;
  readonly words: number;
  readonly bytes: number;
  readonly binaries: number;
  /** Files that could not be read. */
  readonly unreadable: number;
  /** SHA-256 over the hashes of all files, in their order. */
  readonly hash: string;
}

/** Adds up; `undefined` stands for a file that could not be read. */
export function totalsOf(counts: Iterable<FileCount | undefined>): Totals {
  const hash = createHash("sha256");
  let [files, words, bytes, binaries, unreadable] = [0, 0, 0, 0, 0];
  for (const count of counts) {
    files += 1;
    hash.update(count?.hash ?? "unreadable");
    if (count === undefined) unreadable += 1;
    else {
      words += count.words;
      bytes += count.bytes;
      if (count.binary) binaries += 1;
    }
  }
  return { files, words, bytes, binaries, unreadable, hash: hash.digest("hex") };
}
