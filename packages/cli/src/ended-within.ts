import type { Consumer } from "@taskq/consumer";
import { exitCode } from "./exit-code.js";

/**
 * Tells of a process that a handler ends, or what a handler left behind: `process.exit`, an error that nobody caught. Whoever
 * looks after it would take a 0 for a stop that was asked for, and not start it again.
 */
export function tellOfEndsWithin(consumer: Consumer): Disposable {
  const hear = (code: number): void => {
    // By a signal, and told of.
    if (code === exitCode.interrupted) return;
    const { busy } = consumer.health();
    const jobs =
      busy === 0
        ? ""
        : ` ${busy === 1 ? "1 job was" : `${busy} jobs were`} cut off, to run again once the lease is over.`;
    process.stderr.write(
      `taskq: the module, or one of its tasks, ended this process with code ${code}, by process.exit or an error that nobody caught.${jobs}\n`,
    );
    if (code === exitCode.ok && busy > 0) process.exitCode = exitCode.failure;
  };
  process.on("exit", hear);
  return { [Symbol.dispose]: () => void process.off("exit", hear) };
}
