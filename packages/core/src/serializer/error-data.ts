import { types } from "node:util";

/** An error as it travels. Other properties of it, and its class, do not. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
  readonly cause?: unknown;
  readonly code?: unknown;
}

/** Also of another realm. */
export function isError(value: unknown): value is Error {
  // The prototype is looked at first because isNativeError leaves JavaScript, which takes longer.
  return (
    typeof value === "object" &&
    value !== null &&
    Object.getPrototypeOf(value) !== Object.prototype &&
    (value instanceof Error || types.isNativeError(value))
  );
}

export function errorData(error: Error): ErrorData {
  // Nobody keeps a program from putting anything there.
  const { name, message, stack, code } = error as {
    readonly [Key in "name" | "message" | "stack" | "code"]?: unknown;
  };
  return {
    name: String(name),
    message: String(message),
    ...(typeof stack === "string" && { stack }),
    ...(Object.hasOwn(error, "cause") && { cause: error.cause }),
    ...(code !== undefined && { code }),
  };
}

/** A plain `Error`: a class is never looked up by a name that was stored. */
export function errorFromData(data: ErrorData): Error {
  const error = new Error(data.message, "cause" in data ? { cause: data.cause } : undefined);
  define(error, "name", data.name, false);
  define(error, "stack", data.stack, false);
  if (data.code !== undefined) define(error, "code", data.code, true);
  return error;
}

function define(error: Error, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(error, key, { value, enumerable, writable: true, configurable: true });
}
