import type { EventType } from "@taskq/core";
import type { SentEvent } from "./report.js";
import { grouped, isTerminal, printable, styled } from "./style.js";

const COLOURS: Partial<Record<EventType, Parameters<typeof styled>[0]>> = {
  completed: "green",
  started: "cyan",
  retrying: "yellow",
  locked: "yellow",
  revoked: "magenta",
  failed: "red",
  skipped: "red",
  interrupted: "red",
  "lease-lost": "red",
};
/** Where nobody sees a line change, one is written so often, in milliseconds. */
const PROGRESS_EVERY = 1_000;
/** Of a terminal that does not tell how wide it is. */
const USUAL_WIDTH = 80;

/** Shows everything that happens, as it happens: one line for each event, in columns. */
export class MissionControl {
  readonly counts: Partial<Record<EventType, number>> = {};
  #progressShown = false;
  #progressAt = 0;

  /** @param source the process that it happened in */
  event(source: string, event: SentEvent): void {
    this.counts[event.type] = (this.counts[event.type] ?? 0) + 1;
    const type = styled(COLOURS[event.type] ?? "gray", event.type.padEnd(10));
    const columns = [
      styled("gray", clock(new Date(event.time))),
      styled("gray", source.padEnd(10)),
      type,
      event.task.padEnd(10),
      // the end of an id tells jobs apart, its beginning is the time
      styled("gray", event.id.slice(-6).padEnd(6)),
      printable(details(event)),
    ];
    this.line(`  ${columns.join("  ").trimEnd()}`);
  }

  /** What the demo does next. */
  heading(text: string): void {
    this.line(`\n${styled("bold", text)}`);
  }

  line(text: string): void {
    this.#clearProgress();
    process.stdout.write(`${text}\n`);
  }

  /** How far it is: a line that changes, or on no terminal a line now and then. */
  progress(files: number, all: number, words: number): void {
    const text = `  ${grouped(files)} of ${grouped(all)} files, ${grouped(words)} words`;
    if (isTerminal) {
      this.#clearProgress();
      // A line that goes on below could not be taken back.
      process.stdout.write(text.slice(0, (process.stdout.columns || USUAL_WIDTH) - 1));
      this.#progressShown = true;
    } else if (this.#progressAt === 0) {
      this.#progressAt = Date.now();
    } else if (Date.now() - this.#progressAt >= PROGRESS_EVERY) {
      this.#progressAt = Date.now();
      process.stdout.write(`${text}\n`);
    }
  }

  #clearProgress(): void {
    if (this.#progressShown) process.stdout.write("\r\u001B[2K");
    this.#progressShown = false;
  }
}

const two = (part: number): string => String(part).padStart(2, "0");

function clock(time: Date): string {
  const seconds = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${seconds}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

function details(event: SentEvent): string {
  switch (event.type) {
    case "scheduled":
      return `due at ${clock(new Date(event.at))}`;
    case "started":
      return event.attempt > 1 ? `run ${event.attempt}` : "";
    case "completed":
      return `in ${grouped(Math.round(event.durationMs))} ms`;
    case "retrying":
      return `run ${event.attempt}: ${event.error.message}; again at ${clock(new Date(event.at))}`;
    case "failed":
    case "quarantined":
      return `${event.error.name}: ${event.error.message}`;
    case "locked":
    case "limited":
      return `waits for ${event.key}`;
    case "skipped":
    case "cancelled":
      return event.reason;
    case "timeout":
      return `longer than ${grouped(event.timeoutMs)} ms`;
    case "progress":
      return JSON.stringify(event.value);
    case "enqueued":
    case "revoked":
    case "expired":
    case "interrupted":
    case "lease-lost":
      return "";
  }
}
