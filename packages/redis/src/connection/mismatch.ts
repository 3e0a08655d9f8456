import { isCluster, type Client, type ClusterClient } from "./client.js";

/**
 * Why a connection did not come about. Where one end speaks TLS and the other one does not, all that the system tells is
 * a silence or a reset, which reads like a network that is broken.
 */
export function asMet(client: Client | ClusterClient, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || isCluster(client)) return error;
  const { tls } = client.options ?? {};
  const hint = hintFor(error.code, tls !== undefined && tls !== null);
  if (hint === undefined) return error;
  return Object.assign(new Error(`${error.message} (${hint})`), { code: error.code });
}

function hintFor(code: unknown, overTls: boolean): string | undefined {
  if (overTls && (code === "ETIMEDOUT" || code === "ECONNRESET")) {
    return "over TLS; if that port of the server has none, write redis://, or leave out tls";
  }
  if (!overTls && code === "ECONNRESET") {
    return "without TLS; if that port of the server has it, write rediss://, or give connection.tls";
  }
  return undefined;
}
