import { isCluster, type Client, type ClusterClient } from "./client.js";
import { nodeOf } from "./copies.js";

/**
 * How many bytes have come on a client, of a Cluster from the node that has the key; `undefined` where that cannot be told.
 * While they grow, an answer is on its way, however long it takes.
 */
export function bytesRead(client: Client | ClusterClient, key?: string): number | undefined {
  if (!isCluster(client)) return client.stream?.bytesRead;
  try {
    return key === undefined ? undefined : nodeOf(client, key).stream?.bytesRead;
  } catch {
    // It does not know the node at the moment.
    return undefined;
  }
}
