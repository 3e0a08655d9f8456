import { TaskqError } from "./errors.js";
import { isPromise } from "./is-promise.js";
import { unexpected } from "./options.js";
import type { StandardResult, StandardSchema } from "./vocabulary/standard-schema.js";

type Failure = Extract<StandardResult<unknown>, { readonly issues: readonly unknown[] }>;
type Issue = Failure["issues"][number];

/** Issues that a message names; the error's `cause` has all of them. */
const NAMED_ISSUES = 10;

/**
 * The input as the schema parsed it: at once where the schema is synchronous, else a promise of it.
 *
 * @param what names the input in the error.
 * @throws `TASKQ_INPUT` with each issue and where it is; `cause` holds the issues as the schema gave them
 */
export function parseInput<Parsed>(
  schema: StandardSchema<unknown, Parsed>,
  value: unknown,
  what: string = "the input",
): Parsed | Promise<Parsed> {
  const result = schema["~standard"].validate(value);
  if (!isPromise(result)) return parsedOf(result, what);
  // One of another make is told from a value by nobody behind this.
  return Promise.resolve(result).then((settled) => parsedOf(settled, what));
}

function parsedOf<Parsed>(result: StandardResult<Parsed>, what: string): Parsed {
  if (!isResult(result)) {
    throw new TaskqError(
      "TASKQ_OPTION",
      `the schema of ${what}: expected validate to answer { value } or { issues }, got something else`,
    );
  }
  if (result.issues === undefined) return result.value;
  const named = result.issues.slice(0, NAMED_ISSUES).map(issueText);
  const more = result.issues.length - named.length;
  if (more > 0) named.push(`and ${more} more`);
  throw new TaskqError("TASKQ_INPUT", `${what} is refused by its schema: ${named.join("; ")}`, {
    cause: result.issues,
  });
}

/** A schema made by hand may answer the value itself, of which nothing would be left. */
function isResult(result: unknown): boolean {
  return typeof result === "object" && result !== null && ("value" in result || "issues" in result);
}

function issueText({ path, message }: Issue): string {
  if (path === undefined || path.length === 0) return message;
  const keys = path.map((segment) => String(typeof segment === "object" ? segment.key : segment));
  return `${keys.join(".")}: ${message}`;
}

/** The schema, if it is a Standard Schema of version 1. @throws `TASKQ_OPTION` */
export function checkedSchema(schema: unknown, what: string): StandardSchema {
  if (isStandardSchema(schema)) return schema;
  throw unexpected(what, "a Standard Schema of version 1, such as one of zod, Valibot or ArkType", schema);
}

function isStandardSchema(value: unknown): value is StandardSchema {
  // Some libraries make schemas that are functions.
  if ((typeof value !== "object" && typeof value !== "function") || value === null) return false;
  const standard: unknown = "~standard" in value ? value["~standard"] : undefined;
  if (typeof standard !== "object" || standard === null) return false;
  return (
    "version" in standard &&
    standard.version === 1 &&
    "validate" in standard &&
    typeof standard.validate === "function"
  );
}
