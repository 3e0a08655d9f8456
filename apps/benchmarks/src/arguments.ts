import { parseArgs } from "node:util";

/** What a program was called with; an argument that it does not know ends it with a message. */
export interface Arguments {
  number(name: string, otherwise: number): number;
  text(name: string): string | undefined;
  flag(name: string): boolean;
}

/** Reads `--name value` for each of `values` and `--name` for each of `flags`; `--` from a package manager is skipped. */
export function readArguments(values: readonly string[], flags: readonly string[] = []): Arguments {
  const options = Object.fromEntries([
    ...values.map((name) => [name, { type: "string" }] as const),
    ...flags.map((name) => [name, { type: "boolean" }] as const),
  ]);
  const args = process.argv.slice(2).filter((each) => each !== "--");
  const given: Readonly<Record<string, unknown>> = parseArgs({ args, options }).values;
  return {
    number(name, otherwise) {
      const value = given[name];
      if (typeof value !== "string") return otherwise;
      const number = Number(value);
      if (value.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
      throw new Error(`--${name}: expected a number of at least 0, got "${value}"`);
    },
    text(name) {
      const value = given[name];
      return typeof value === "string" ? value : undefined;
    },
    flag: (name) => given[name] === true,
  };
}
