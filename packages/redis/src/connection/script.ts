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
  /** A server whose memory is full carries it out all the same: it ends or removes what is there, and takes little by itself. */
  readonly always?: boolean | undefined;
  /** As many replicas as the user wants are waited for. */
  readonly copied?: boolean | undefined;
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

const pressed = new Map<string, Script>();

/**
 * The same for a server whose memory is full: it refuses a script's first write if that may take memory, and no other once there was
 * one. So this begins with a write that takes none, and changes nothing, to the rows, which all scripts declare as the second key.
 */
export function pressing(refused: Script): Script {
  let own = pressed.get(refused.sha);
  if (own === undefined) {
    const source = `redis.call("HDEL", KEYS[2], "")\n${refused.source}`;
    own = { ...refused, source, sha: createHash("sha1").update(source).digest("hex") };
    pressed.set(refused.sha, own);
  }
  return own;
}
