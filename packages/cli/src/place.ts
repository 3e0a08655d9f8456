/** Where a queue is kept, as a user names it: a module that exports queues, or the address of a storage. */
import { exitCode } from "./exit-code.js";
import { UserError } from "./user-error.js";

export type Place = ModulePlace | Address;

export interface ModulePlace {
  readonly kind: "module";
  readonly path: string;
}

export type Address =
  | { readonly kind: "sqlite"; readonly path: string }
  /** May hold a password, and is never shown. */
  | { readonly kind: "redis"; readonly url: string };

/** Of a scheme, more than the one letter of a drive. */
const SCHEME = /^([a-z][a-z0-9+.-]+):/i;

/** What `text` names. @throws {UserError} for a storage that is not known */
export function placeOf(text: string): Place {
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  switch (scheme) {
    case undefined:
      return { kind: "module", path: text };
    case "sqlite":
      return { kind: "sqlite", path: fileOf(text.slice("sqlite:".length)) };
    case "redis":
    case "rediss":
      return { kind: "redis", url: text };
    default:
      throw new UserError(
        `no storage is known by '${scheme}:'; known are sqlite:<file>, redis://… and rediss://…, or the path of a module`,
        { code: exitCode.usage },
      );
  }
}

function fileOf(path: string): string {
  if (path !== "" && !path.startsWith("//")) return path;
  throw new UserError(`expected a file after 'sqlite:', such as sqlite:./jobs.db, got 'sqlite:${path}'`, {
    code: exitCode.usage,
  });
}
