import { inspect } from "node:util";
import { TaskqError } from "@taskq/core";
import { exitCode } from "./exit-code.js";

/** Something a user can do something about; the message says what, and is all that is needed. */
export class UserError extends Error {
  /** For the shell. */
  readonly code: number;

  constructor(message: string, options: ErrorOptions & { readonly code?: number } = {}) {
    super(message, options);
    this.code = options.code ?? exitCode.failure;
  }
}

/** For what a user can do something about, the message is enough; for the rest, everything there is. */
export function explain(error: unknown): string {
  if (error instanceof TaskqError) return `${error.message} (${error.code})${becauseOf(error)}`;
  if (error instanceof UserError) return error.message;
  return thrownText(error);
}

/** Everything there is of what was thrown, an error or not. */
export function thrownText(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.stack ?? thrown.message;
  return typeof thrown === "string" ? thrown : inspect(thrown);
}

function becauseOf({ message, cause }: TaskqError): string {
  return cause instanceof Error && !message.includes(cause.message) ? `\n  because: ${cause.message}` : "";
}
