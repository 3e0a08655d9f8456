/** `context.log`: to the queue's logger, and kept with the job. */
import { isError } from "../serializer/error-data.js";
import { describeError, errorText, withoutStack } from "./failure.js";
import type { Level } from "./guarded-logger.js";
import { storeNote, type NotingRun } from "./notes.js";
import { noteContext } from "./sources.js";
import { toldError } from "./told-error.js";
import type { Logger } from "../vocabulary/logger.js";

/** What is stored of one line. */
export interface LogLine {
  readonly level: Level;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export function runLogger(run: NotingRun): Logger {
  const { engine, claimed } = run;
  const write = (level: Level, first: object | string, second?: string): void => {
    // A log line is never worth a failed run: one that cannot be kept is told of, and that is all.
    void tell(run, level, first, second).catch((error: unknown) => {
      engine.logger.warn(
        { job: claimed.id, error: errorText(error) },
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

async function tell(run: NotingRun, level: Level, first: object | string, second?: string): Promise<void> {
  const { engine, claimed } = run;
  const { id: job, task, attempt } = claimed;
  const { fields, message } = partsOf(first, second);
  engine.logger[level]({ ...fields, job, task, attempt }, message);
  const line: LogLine = {
    level,
    message,
    ...(fields === undefined ? {} : { fields: storable(run, fields) }),
  };
  await storeLine(run, line);
}

function storeLine(run: NotingRun, line: LogLine): Promise<boolean> {
  try {
    return storeNote(run, "log", line);
  } catch (refusal) {
    if (line.fields === undefined) throw refusal;
    return storeNote(run, "log", { ...line, fields: travelling(run, line.fields) });
  }
}

/** The fields that can be stored, and of the others that they cannot. */
function travelling({ engine, claimed }: NotingRun, fields: object): Record<string, unknown> {
  const context = noteContext(engine, claimed, "log");
  const orWhyNot = ([name, value]: [string, unknown]): [string, unknown] => {
    try {
      engine.serializer.encode(value, context);
      return [name, value];
    } catch {
      return [name, "left out: it cannot be stored"];
    }
  };
  return Object.fromEntries(Object.entries(fields).map(orWhyNot));
}

/** An error alone is the field `err`, with its message as the text, as pino has it. */
function partsOf(
  first: object | string,
  second: string | undefined,
): { readonly fields: object | undefined; readonly message: string } {
  if (typeof first === "string") return { fields: undefined, message: first };
  if (!isError(first)) return { fields: first, message: second ?? "" };
  return { fields: { err: first }, message: second ?? withoutStack(first).message };
}

/** An error among the fields is told as data. */
function storable({ engine, claimed }: NotingRun, fields: object): Record<string, unknown> {
  const { id, task, attempt } = claimed;
  const told = (error: Error): object =>
    toldError(engine, describeError(error, undefined), { id, task, input: undefined, attempt });
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, isError(value) ? { ...told(value) } : value]),
  );
}
