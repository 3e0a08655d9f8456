import { dueInstant, type When } from "./duration.js";
import { nameErrors } from "./errors.js";
import { refuseUnknown } from "./options.js";

/**
 * Thrown by a handler: run again, whatever the budget, which it does not use up.
 *
 * @throws `TASKQ_OPTION` for an option that is none, both of `delay` and `at`, a bad duration, an invalid Date.
 * @example throw new Retry({ delay: '1m', cause: error });
 */
export class Retry extends Error {
  /** When to run again; with neither `delay` nor `at`, by the backoff of the task, which such runs do not let grow. */
  readonly when: When;
  constructor(options: When & { readonly cause?: unknown } = {}) {
    refuseUnknown(options, ["delay", "at", "cause"], "Retry");
    dueInstant(options, 0, "Retry");
    super("the handler asked for another run", "cause" in options ? { cause: options.cause } : {});
    this.when =
      options.at === undefined
        ? options.delay === undefined
          ? {}
          : { delay: options.delay }
        : { at: options.at };
  }
  static {
    nameErrors(this, "Retry");
  }
}

/**
 * Thrown by a handler: the outcome is `cancelled`; no retry.
 *
 * @example throw new Cancel('the order is gone');
 */
export class Cancel extends Error {
  constructor(reason: string = "cancelled by the handler", options?: { readonly cause?: unknown }) {
    super(reason, options);
  }
  static {
    nameErrors(this, "Cancel");
  }
}

/**
 * Thrown by a handler: the outcome is `failed`; no more retries.
 *
 * @example throw new Fatal('bad card');
 */
export class Fatal extends Error {
  // Only for its types: `Error` itself takes no message as well, and a cause of another shape.
  // oxlint-disable-next-line no-useless-constructor
  constructor(message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
  }
  static {
    nameErrors(this, "Fatal");
  }
}
