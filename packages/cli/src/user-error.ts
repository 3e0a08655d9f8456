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
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function becauseOf({ message, cause }: TaskqError): string {
  return cause instanceof Error && !message.includes(cause.message) ? `\n  because: ${cause.message}` : "";
}
