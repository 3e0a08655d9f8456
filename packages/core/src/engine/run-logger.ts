/** `context.log`: to the queue's logger, and kept with the job. */
import { describeError } from "./failure.js";
import { storeNote, type NotingRun } from "./notes.js";
import { toldError } from "./told-error.js";
import type { Logger } from "../vocabulary/logger.js";

type Level = "debug" | "info" | "warn" | "error";

/** What is stored of one line. */
export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export function runLogger(run: NotingRun): Logger {
  const { engine, claimed } = run;
  const write = (level: Level, first: object | string, second?: string): void => {
    const fields = typeof first === "string" ? {} : first;
    const message = typeof first === "string" ? first : (second ?? "");
    engine.logger[level](
      { ...fields, job: claimed.id, task: claimed.task, attempt: claimed.attempt },
      message,
    );
    const line: LogLine = {
      level,
      message,
      ...(typeof first === "string" ? {} : { fields: storable(run, first) }),
    };
    // A log line is never worth a failed run: what cannot be stored is logged, and that is all.
    void keep(run, line).catch((error: unknown) => {
      engine.logger.warn(
        { job: claimed.id, error: String(error) },
        "a log line could not be kept with its job",
      );
    });
  };
  return {
    debug: (first: object | string, second?: string) => write("debug", first, second),
    info: (first: object | string, second?: string) => write("info", first, second),
    warn: (first: object | string, second?: string) => write("warn", first, second),
    error: (first: object | string, second?: string) => write("error", first, second),
  };
}

async function keep(run: NotingRun, line: LogLine): Promise<void> {
  await storeNote(run, "log", line);
}

/** An error among the fields is told as data. */
function storable({ engine, claimed }: NotingRun, fields: object): Record<string, unknown> {
  const { id, task, attempt } = claimed;
  const told = (error: Error): object =>
    toldError(engine, describeError(error, undefined), { id, task, input: undefined, attempt });
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      value instanceof Error ? { ...told(value) } : value,
    ]),
  );
}
