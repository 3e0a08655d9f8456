import { CommanderError } from "commander";
import { createProgram } from "./program.js";
import { exitCode } from "./exit-code.js";
import { printableLines } from "./printable.js";
import { explain, UserError } from "./user-error.js";

/**
 * Runs `taskq` with these arguments (without node and the script), writing to this process's streams.
 * Answers the exit code: 0 done, 1 failed, 2 not understood, 130 broken off by a signal.
 *
 * @example
 * process.exitCode = await main(["run", "./queue.js", "--workers", "4"]);
 */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCode.ok;
  const program = createProgram((answered) => {
    code = answered;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    // It has printed its own message; asking for help or the version is no mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    // What stood in a store, a dump or a module may be quoted in it.
    process.stderr.write(`taskq: ${printableLines(explain(error))}\n`);
    return error instanceof UserError ? error.code : exitCode.failure;
  }
}
