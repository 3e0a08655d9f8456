import { createHash } from "node:crypto";

/** A Lua script by name. Its text is sent to a server that does not know it; its hash to all others. */
export interface Script {
  /** As messages show it. */
  readonly name: string;
  readonly source: string;
  /** Hex SHA-1 of the source. */
  readonly sha: string;
  /** So many of the keys of a queue it declares, the first ones; all of them unless given. */
  readonly keys?: number | undefined;
  /** Sent whole at first on each connection: a server that did not know it would carry it out behind calls that were made later. */
  readonly inOrder?: boolean | undefined;
}

/**
 * A script by its source.
 *
 * It declares every key, reads before it writes, takes its time from `TIME`, and bounds its loops.
 *
 * @example const add = script("add", "return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2])");
 */
export function script(name: string, source: string): Script {
  return { name, source, sha: createHash("sha1").update(source).digest("hex"), keys: undefined };
}
