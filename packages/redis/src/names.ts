import { unexpected } from "@taskq/core/engine";

/** As in core: what a queue may be called. Names are matched and refused; none is changed into another. */
const QUEUE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** The name of a queue, if it is one. @throws `TASKQ_OPTION` */
export function checkedQueue(name: unknown): string {
  if (typeof name === "string" && QUEUE.test(name)) return name;
  throw unexpected(
    "the name of a queue",
    "a letter or digit, then at most 63 letters, digits, '.', '_' or '-'",
    name,
  );
}

/**
 * What all keys and channels of a queue begin with: `taskq:{main}:`. What stands in braces is the hash tag, which keeps them in
 * one slot of a Cluster. The home partition is 0; the others are `taskq:{main:1}:` and so on, which no queue can be called.
 */
export function keyBase(keyPrefix: string, queue: string, partition = 0): string {
  return `${keyPrefix}:{${queue}${partition === 0 ? "" : `:${partition}`}}:`;
}

/** Where a partition's scripts say that there may be something to claim, or that a user changed something. */
export function wakeChannel(keyPrefix: string, queue: string, partition = 0): string {
  return `${keyBase(keyPrefix, queue, partition)}wake`;
}

/** Where the same scripts say which jobs became final. */
export function finalChannel(channel: string): string {
  return `${channel}:final`;
}

/** Where a process hears of the jobs that its waiting claims are handed. */
export function handedChannel(channel: string, name: string): string {
  return `${channel}:to:${name}`;
}
