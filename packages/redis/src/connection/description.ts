import type { Source } from "./source.js";

/** Where a source leads, for people and messages: `redis 10.0.0.5:6379`. Never a user or a password. */
export function descriptionOf(source: Source): string {
  if (source.kind === "cluster") return "redis Cluster";
  const options = (source.kind === "options" ? source.options : source.client.options) ?? {};
  if (options.sentinels !== undefined && options.sentinels !== null) {
    return `redis ${options.name ?? ""} by Sentinels`;
  }
  if (options.path !== undefined && options.path !== null) return `redis ${options.path}`;
  const host = options.host ?? "localhost";
  const database = options.db === undefined || options.db === 0 ? "" : `/${options.db}`;
  return `redis ${host.includes(":") ? `[${host}]` : host}:${options.port ?? 6379}${database}`;
}
