import { isCluster, type Client, type ClusterClient } from "./client.js";

/**
 * Ends a client, with all that is in flight on it.
 *
 * ioredis hears one error of a socket. A TLS socket that is ended in mid-handshake may have two (the certificate is not trusted,
 * and the server's alert about it), and the second would end the user's process.
 */
export function letGo(client: Client | ClusterClient): void {
  for (const node of isCluster(client) ? client.nodes("all") : [client]) {
    node.stream?.on("error", () => {});
  }
  client.disconnect();
}
