import { TaskqError } from "@taskq/core/storage";
import { isCluster, type Client, type ClusterClient } from "./client.js";
import { slotOf } from "./slot.js";

/** What is left of a call's time for the way back, in milliseconds: a server looks at who waits some ten times a second. */
const RESERVE = 250;

/**
 * Waits until so many replicas have confirmed all that this connection has written so far (`WAIT`).
 *
 * @throws `TASKQ_UNAVAILABLE` when there are fewer in time; it is stored on the master all the same
 */
export function copiesOf(
  key: string,
  wanted: number,
  name: string,
): (client: Client | ClusterClient, remaining: number) => Promise<void> {
  return async (client, remaining) => {
    const patience = Math.max(1, Math.floor(remaining - Math.min(RESERVE, remaining / 2)));
    const node = isCluster(client) ? nodeOf(client, key) : client;
    const confirmed = Number(await node.callBuffer("wait", [wanted, patience]));
    if (confirmed >= wanted) return;
    throw new TaskqError(
      "TASKQ_UNAVAILABLE",
      `script ${name}: expected ${wanted} ${wanted === 1 ? "replica" : "replicas"} to confirm within ${patience} ms, ` +
        `got ${confirmed}; it is stored on the master`,
    );
  };
}

/** The connection to the master of a key's slot. */
export function nodeOf(cluster: ClusterClient, key: string): Client {
  const address = cluster.slots[slotOf(key)]?.[0];
  const node = cluster.nodes("master").find(({ options }) => `${options?.host}:${options?.port}` === address);
  if (node === undefined) throw new Error("the Cluster does not say who has the slot");
  return node;
}
