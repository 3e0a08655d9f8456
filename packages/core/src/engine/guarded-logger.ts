/** A user's logger, so that one that breaks disturbs nothing. */
import { isPromise } from "../is-promise.js";
import { unexpectedSecret } from "../options.js";
import type { Logger } from "../vocabulary/logger.js";
import { errorText } from "./failure.js";

export type Level = "debug" | "info" | "warn" | "error";

const LEVELS: readonly Level[] = ["debug", "info", "warn", "error"];
const SILENT: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Never throws; the process is warned of the first line that is lost. @throws `TASKQ_OPTION` for what is no logger */
export function guardedLogger(given: Logger | undefined, queue: string): Logger {
  if (given === undefined) return SILENT;
  const logger = checkedLogger(given);
  let warned = false;
  const warn = (error: unknown): void => {
    if (warned) return;
    warned = true;
    process.emitWarning(
      `the logger of the queue '${queue}' breaks, and lines are lost: ${errorText(error)}`,
      {
        code: "TASKQ_LOGGER",
      },
    );
  };
  const guarded =
    (level: Level): Logger[Level] =>
    (first: object | string, second?: string) => {
      try {
        const answer: unknown =
          typeof first === "string" ? logger[level](first) : logger[level](first, second);
        if (isPromise(answer)) Promise.resolve(answer).catch(warn);
      } catch (error) {
        warn(error);
      }
    };
  return { debug: guarded("debug"), info: guarded("info"), warn: guarded("warn"), error: guarded("error") };
}

function checkedLogger(logger: Logger | null): Logger {
  if (logger !== null && LEVELS.every((level) => typeof logger[level] === "function")) return logger;
  throw unexpectedSecret(
    "createQueue logger",
    "a logger with debug(), info(), warn() and error(), such as console",
    logger,
  );
}
