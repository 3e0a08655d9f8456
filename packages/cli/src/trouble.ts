import type { Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";
import { printable } from "./printable.js";
import type { Style } from "./style.js";

/** Says that a storage is away, or has not taken what has ended: of a queue without a logger nobody would hear it. */
export function tellOfTrouble(queue: Queue, print: (text: string) => void, style: Style): Disposable {
  return engineOf(queue).consumerLog.on((level, message, { runs, error }) => {
    const label = level === "info" ? "" : `${style.yellow("warning")}: `;
    const count = runs === undefined ? "" : ` (runs: ${runs})`;
    const why = error === undefined ? "" : ` (${printable(error)})`;
    print(`${label}queue '${queue.name}': ${message}${count}${why}\n`);
  });
}
