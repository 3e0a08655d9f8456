import { Command, Option } from "commander";
import { dump, type DumpOptions } from "./dump/dump.js";
import { load, type LoadOptions } from "./dump/load.js";
import { move, type MoveCommandOptions } from "./move.js";
import { addQuarantineCommand } from "./quarantine-command.js";
import { duration, lease, prefetch, queueNames, workers } from "./option-values.js";
import { run, type RunOptions } from "./run.js";
import { versionOf } from "./versions.js";

const MODULE = "a path such as ./queue.js; TypeScript too (.ts, .tsx, .mts), loaded as an ES module";
const ONLY = "only this queue of the module; may be repeated";

type Done = (code: number) => void;

/** The commands. @param done Told the exit code of the one that ran. */
export function createProgram(done: (code: number) => void): Command {
  const program = new Command("taskq")
    .description("Runs background jobs, and moves them from one place to another.")
    .version(versionOf("@taskq/cli") ?? "unknown", "-V, --version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .showHelpAfterError("(taskq --help, or --help behind a command, tells more)");
  addRun(program, done);
  addQuarantineCommand(program, done);
  addMove(program, done);
  addDump(program, done);
  addLoad(program, done);
  return program;
}

function addRun(program: Command, done: Done): void {
  program
    .command("run")
    .summary("run the jobs of the queues that a module exports")
    .description(
      "Runs the jobs of the queues that a module exports, until SIGINT or SIGTERM: " +
        "then it claims no more, and finishes what it has begun. A second signal gives back what still runs.",
    )
    .argument("<module>", MODULE)
    .option("-w, --workers <number>", "jobs at a time, over all queues (default: 10)", workers)
    .option("--lease <duration>", "how long a job outlives a killed consumer (default: 30s)", lease)
    .option("--grace <duration>", "how long a stop waits for running jobs (default: 25s)", duration)
    .addOption(
      new Option("--prefetch <number>", "jobs claimed ahead, or 'adaptive' (default: adaptive)").argParser(
        prefetch,
      ),
    )
    .option("--no-periodic", "leave periodic tasks to other consumers")
    .option("--queue <name>", "only this queue of the module; may be repeated", queueNames)
    .option("-v, --verbose", "print every event, not only failures and retries")
    .addOption(new Option("-q, --quiet", "print failures only").conflicts("verbose"))
    .action(async (module: string, options: RunOptions) => done(await run(module, options)));
}

function addMove(program: Command, done: Done): void {
  program
    .command("move")
    .summary("move queues from one storage to another, with no job lost")
    .description(
      "Moves the queues of a module to another storage, or from one, with all that they keep. One of the two places is " +
        "a module that exports the queues, as for taskq run; the other may be a module too, or an address: " +
        "sqlite:<file>, redis://… or rediss://… (for a key prefix, Sentinels, a Cluster: a module).\n\n" +
        "From the first moment, consumers at the source finish what runs and stop, and enqueue is refused with " +
        "TASKQ_MOVED. Then all is copied, compared by count, and the target opens. Ctrl-C breaks it off: the same line " +
        "again goes on, --cancel takes it back.",
    )
    .argument("<from>", "where the queues are: a module such as ./queue.js, or an address")
    .argument("<to>", "where they go: a module, or an address such as redis://localhost:6379")
    .option("--queue <name>", ONLY, queueNames)
    .option("--cancel", "take back a move that was broken off: the queues open where they were")
    .option(
      "--lost",
      "with --cancel: also where the other place has lost all of it, and does not know the move",
    )
    .action(async (from: string, to: string, options: MoveCommandOptions) =>
      done(await move(from, to, options)),
    );
}

function addDump(program: Command, done: Done): void {
  program
    .command("dump")
    .summary("write all that a queue keeps to a file")
    .description(
      "Writes all that a queue keeps as lines of JSON: to standard output, or to a file.\n\n" +
        "A dump is taken of a queue that is closed, so that it is of one moment. An open one is closed for it, and that " +
        "you ask for by --reopen or --keep-closed: its consumers finish what runs and stop, and enqueue is refused with " +
        "TASKQ_MOVED. Ctrl-C opens it again.",
    )
    .argument("<module>", MODULE)
    .option(
      "-o, --output <file>",
      "the file to write, which must not be there yet (default: standard output)",
    )
    .option("--reopen", "close the queue, dump it, and open it again")
    .option("--keep-closed", "close the queue, dump it, and leave it closed, to load the dump elsewhere")
    .option("--cancel", "dump nothing: open a queue again that a dump has left closed")
    .option("--queue <name>", "this queue of the module, where it exports several", queueNames)
    .action(async (module: string, options: DumpOptions) => done(await dump(module, options)));
}

function addLoad(program: Command, done: Done): void {
  program
    .command("load")
    .summary("fill an empty queue from a dump")
    .description(
      "Fills an empty queue with what a dump holds, and opens it once all is there and counted. A file that is cut off or " +
        "changed is refused. Ctrl-C breaks it off: the same line again goes on, --cancel takes it back. A dump that was " +
        "loaded before is not loaded again.",
    )
    .argument("<module>", MODULE)
    .argument("[file]", "the dump; - for standard input")
    .option("--replace <name>", "remove all that the queue of this name keeps, and load the dump instead")
    .option("--cancel", "load nothing: empty and open a queue whose load was broken off")
    .option("--queue <name>", ONLY, queueNames)
    .action(async (module: string, file: string | undefined, options: LoadOptions) =>
      done(await load(module, file, options)),
    );
}
