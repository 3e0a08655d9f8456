import { Option, type Command } from "commander";
import { queueNames } from "./option-values.js";
import { quarantine, type QuarantineOptions } from "./quarantine.js";

/** Adds `taskq quarantine`; `answer` is given its exit code. */
export function addQuarantineCommand(program: Command, answer: (code: number) => void): void {
  program
    .command("quarantine")
    .summary("list jobs that cannot be read, release or delete them")
    .description(
      "Lists the quarantined jobs of the queues that a module exports: id, task, since when, size, code and reason.\n\n" +
        "These cannot be read, or no consumer knew their task; they never run, and wait here until they are released, " +
        "once a key was added, say, or deleted, or their retention has passed.",
    )
    .argument(
      "<module>",
      "a path such as ./queue.js; TypeScript too (.ts, .tsx, .mts), loaded as an ES module",
    )
    .addOption(
      new Option("--release <id>", "let this job run again, or 'all' of them; may be repeated")
        .argParser(queueNames)
        .conflicts("delete"),
    )
    .addOption(
      new Option("--delete <id>", "delete this job, or 'all' of them; may be repeated").argParser(queueNames),
    )
    .option("--queue <name>", "only this queue of the module; may be repeated", queueNames)
    .action(async (module: string, options: QuarantineOptions) => answer(await quarantine(module, options)));
}
