import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UserError } from "./user-error.js";

/**
 * The `tsconfig.json` nearest to a module, in its folder or above, as an editor finds it; `undefined`: there is none.
 *
 * @throws {UserError} for one that is no JSON, which would be followed as far as it can be read
 */
export function nearestTsconfig(module: string): string | undefined {
  for (let folder = dirname(module); ; folder = dirname(folder)) {
    const file = join(folder, "tsconfig.json");
    if (existsSync(file)) return checked(file);
    if (folder === dirname(folder)) return undefined;
  }
}

function checked(file: string): string {
  try {
    const text = readFileSync(file, "utf8").replace(/^\uFEFF/, "");
    if (text.trim() !== "") JSON.parse(withoutExtras(text));
  } catch (error) {
    throw tsconfigRefused(file, "read", error);
  }
  return file;
}

/** What is told of a `tsconfig.json` that could not be `done`. */
export function tsconfigRefused(file: string, done: "read" | "followed", cause: unknown): UserError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new UserError(`${file} could not be ${done}: ${why}`, { cause });
}

const TEXT = String.raw`"(?:\\.|[^"\\])*"`;
const TEXT_OR_COMMENT = new RegExp(String.raw`(${TEXT})|//[^\n]*|/\*[^]*?\*/`, "g");
const TEXT_OR_LAST_COMMA = new RegExp(String.raw`(${TEXT})|,(?=\s*[}\]])`, "g");

/** JSON, of what TypeScript takes: that may have comments, and commas behind the last of a list. */
function withoutExtras(text: string): string {
  return text.replaceAll(TEXT_OR_COMMENT, "$1").replaceAll(TEXT_OR_LAST_COMMA, "$1");
}
