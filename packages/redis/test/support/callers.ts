/** Servers and callers that are gone after the test. */
import { TaskqError } from "@taskq/core/storage";
import { Caller } from "../../src/connection/caller.js";
import { settingsOf, type RedisOptions } from "../../src/options.js";
import { startRedisServer, type RedisServer, type ServerOptions } from "../servers/redis-server.js";
import { afterTest } from "./closing.js";

export async function serverOfTest(options: ServerOptions = {}): Promise<RedisServer> {
  const server = await startRedisServer(options);
  afterTest(() => server.stop());
  return server;
}

export function callerOf(options: RedisOptions): Caller {
  const { source, timeout } = settingsOf(options);
  const caller = new Caller({ source, timeout });
  afterTest(() => caller.close());
  return caller;
}

/** The error that a call rejects with; it must be ours. */
export async function refusalOf(call: Promise<unknown>): Promise<TaskqError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof TaskqError) return error;
    throw error;
  }
  throw new Error("expected the call to reject");
}

/** Everything that an error says, with its causes, as a logger would write it. */
export function allOf(error: unknown): string {
  const parts: string[] = [];
  let next: unknown = error;
  while (next instanceof Error) {
    parts.push(next.stack ?? "", JSON.stringify(Object.entries(next)), next.message);
    next = next.cause;
  }
  return parts.join("\n");
}
