/**
 * Errors as we hand them on.
 *
 * ioredis puts the command that failed, with everything it was given, on its errors: passwords (`AUTH`, `HELLO`), TLS keys
 * of a connection's options, and the input of jobs. Whoever logs an error with its causes would write them down.
 */

/** What of an error is told: fields that name the kind of a failure or an address, and nothing else. */
const TOLD = ["code", "errno", "syscall", "address", "port", "hostname"] as const;

/** A copy with the message, the stack and what says where it failed. */
export function withoutSecrets(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  const copy = new Error(error.message);
  Object.defineProperty(copy, "name", { value: error.name, configurable: true, writable: true });
  if (error.stack !== undefined) copy.stack = error.stack;
  for (const name of TOLD) {
    const value = (error as unknown as Record<string, unknown>)[name];
    if (typeof value === "string" || typeof value === "number") Object.assign(copy, { [name]: value });
  }
  return copy;
}
