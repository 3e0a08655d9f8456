import { Command, CommanderError, Option } from "commander";
import { TaskqError } from "@taskq/core";
import { exitCode } from "./exit-code.js";
import { ModuleError } from "./load-module.js";
import { duration, prefetch, queueNames, workers } from "./option-values.js";
import { addQuarantineCommand } from "./quarantine-command.js";
import { run, type RunOptions } from "./run.js";
import { versionOf } from "./versions.js";

/**
 * Runs `taskq` with these arguments (without node and the script), writing to this process's streams.
 * Answers the exit code: 0 done, 1 failed, 2 not understood.
 *
 * @example
 * process.exitCode = await main(["run", "./queue.js", "--workers", "4"]);
 */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = exitCode.ok;
  const program = createProgram(async (module, options) => {
    code = await run(module, options);
  });
  addQuarantineCommand(program, (answered) => {
    code = answered;
  });
  try {
    await program.parseAsync([...args], { from: "user" });
    return code;
  } catch (error) {
    // It has printed its own message; asking for help or the version is no mistake.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage;
    process.stderr.write(`taskq: ${explain(error)}\n`);
    return exitCode.failure;
  }
}

function createProgram(runAction: (module: string, options: RunOptions) => Promise<void>): Command {
  const program = new Command("taskq")
    .description("Runs background jobs.")
    .version(versionOf("@taskq/cli") ?? "unknown", "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError("(taskq --help, or taskq run --help, tells more)");
  program
    .command("run")
    .summary("run the jobs of the queues that a module exports")
    .description(
      "Runs the jobs of the queues that a module exports, until SIGINT or SIGTERM:\n" +
        "then it claims no more, and finishes what it has begun. A second signal gives back what still runs.",
    )
    .argument("<module>", "a path such as ./queue.js; TypeScript too (.ts, .mts), loaded as an ES module")
    .option("-w, --workers <number>", "jobs at a time, over all queues (default: 10)", workers)
    .option("--lease <duration>", "how long a job outlives a killed consumer (default: 30s)", duration)
    .option("--grace <duration>", "how long a stop waits for running jobs (default: 25s)", duration)
    .addOption(
      new Option("--prefetch <number>", "jobs claimed ahead, or 'adaptive' (default: adaptive)").argParser(
        prefetch,
      ),
    )
    .option("--no-periodic", "leave periodic tasks to other consumers")
    .option("--queue <name>", "only this queue of the module; may be repeated", queueNames)
    .option("-v, --verbose", "print every event, not only failures and retries")
    .option("-q, --quiet", "print failures only")
    .action(runAction);
  return program;
}

/** For what a user can do something about, the message is enough; for the rest, everything there is. */
function explain(error: unknown): string {
  if (error instanceof TaskqError) return `${error.message} (${error.code})${becauseOf(error.cause)}`;
  if (error instanceof ModuleError) return error.message;
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}

function becauseOf(cause: unknown): string {
  return cause instanceof Error ? `\n  because: ${cause.message}` : "";
}
