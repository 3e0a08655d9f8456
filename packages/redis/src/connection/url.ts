import { TaskqError } from "@taskq/core/storage";
import type { RedisOptions as ConnectionOptions } from "ioredis";

const DEFAULT_PORT = 6379;

/**
 * The connection that a URL means: `redis://user:password@host:port/database`, `rediss://` with TLS.
 *
 * ioredis takes any of its options from the query of a URL; we take none but `family`, so that a mistyped one is told
 * and none changes how we connect. The URL is in no message: it may hold a password.
 *
 * @throws `TASKQ_OPTION`
 */
export function optionsOfUrl(url: string): ConnectionOptions {
  const parsed = parse(url);
  if (parsed.protocol !== "redis:" && parsed.protocol !== "rediss:") {
    throw refusal(`expected redis:// or rediss://, got ${parsed.protocol}//`);
  }
  if (parsed.hostname === "") throw refusal("expected a host, got none");
  return {
    // in a URL, an IPv6 address stands in brackets
    host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: parsed.port === "" ? DEFAULT_PORT : Number(parsed.port),
    db: databaseOf(parsed.pathname),
    ...(parsed.username === "" ? {} : { username: decoded(parsed.username) }),
    ...(parsed.password === "" ? {} : { password: decoded(parsed.password) }),
    ...(parsed.protocol === "rediss:" ? { tls: {} } : {}),
    ...familyOf(parsed.searchParams),
  };
}

function parse(url: string): URL {
  try {
    return new URL(url);
  } catch {
    // without its cause, which quotes the URL
    throw refusal("expected a URL such as redis://localhost:6379, got something else");
  }
}

function databaseOf(path: string): number {
  const text = path.replace(/^\//, "");
  if (text === "") return 0;
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw refusal("expected the number of a database after the host, got something else");
}

function familyOf(query: URLSearchParams): { family?: number } {
  for (const name of query.keys()) {
    if (name === "family") continue;
    throw refusal(
      "expected nothing after '?' but family, got other options; write redisStorage({ connection: { … } })",
    );
  }
  const family = query.get("family");
  if (family === null) return {};
  if (family === "4" || family === "6") return { family: Number(family) };
  throw refusal("expected family=4 or family=6");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refusal("expected % in the user or password to be written %25, got it bare");
  }
}

function refusal(what: string): TaskqError {
  return new TaskqError("TASKQ_OPTION", `redisStorage url: ${what}`);
}
