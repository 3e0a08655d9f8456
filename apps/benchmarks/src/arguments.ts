import { parseArgs, type ParseArgsConfig } from "node:util";

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
  const given = parsed(options);
  return {
    number(name, otherwise) {
      const value = given[name];
      if (typeof value !== "string") return otherwise;
      const number = Number(value);
      if (value.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
      return misused(`--${name}: expected a number of at least 0, got "${value}"`);
    },
    text(name) {
      const value = given[name];
      return typeof value === "string" ? value : undefined;
    },
    flag: (name) => given[name] === true,
  };
}

function parsed(options: NonNullable<ParseArgsConfig["options"]>): Readonly<Record<string, unknown>> {
  const args = process.argv.slice(2).filter((each) => each !== "--");
  try {
    return parseArgs({ args, options }).values;
  } catch (error) {
    const taken = Object.entries(options).map(
      ([name, { type }]) => `--${name}${type === "string" ? " <value>" : ""}`,
    );
    return misused(
      `${(error as Error).message.split(".")[0]}; expected some of ${taken.join(", ")}; see README.md`,
    );
  }
}

/** Ends the program, which has not begun anything yet, with what was wrong with its call. */
export function misused(message: string): never {
  console.error(message);
  process.exit(2);
}
