/** Nodes of a Cluster that have partitions of one queue, each with a clock of its own. */
import type { ServerFacts } from "./facts.js";
import { serverOf, type Finding } from "./findings.js";

/** Clocks that are kept differ by some milliseconds. */
const APART = 1_000;

/** Whether the clocks of two of these servers differ for sure, however long their answers took. */
export function clocksApart(servers: readonly ServerFacts[]): Finding | undefined {
  const told = servers.flatMap((facts) => (facts.ahead === undefined ? [] : [{ facts, ahead: facts.ahead }]));
  const [first] = told;
  if (first === undefined) return undefined;
  const fast = told.reduce((one, other) => (other.ahead[0] > one.ahead[0] ? other : one), first);
  const slow = told.reduce((one, other) => (other.ahead[1] < one.ahead[1] ? other : one), first);
  const apart = fast.ahead[0] - slow.ahead[1];
  if (apart < APART) return undefined;
  return {
    weight: "told",
    code: "TASKQ_REDIS_CLOCKS",
    message:
      `the clock of ${serverOf(fast.facts)} is ${Math.round(apart / 1_000)} s ahead of that of ${serverOf(slow.facts)}, and both have ` +
      "partitions of the queue: delayed jobs and retries start that much too early or too late there, and what is stored may wait as " +
      "long; mend it with a time service on every node (NTP)",
  };
}
