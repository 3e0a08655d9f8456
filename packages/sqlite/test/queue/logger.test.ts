import { runInNewContext } from "node:vm";
import { createQueue, task, type Logger } from "@taskq/core";
import { describe, expect, test, vi } from "vitest";
import { immediateQueue, storages } from "./storages.js";

const LEVELS = ["debug", "info", "warn", "error"] as const;

const talkative = task("talkative", async (_input: void, { log }) => {
  for (const level of LEVELS) log[level]({ at: level }, "said");
  return "done";
});

function loggerThat(write: () => void): Logger {
  return { debug: write, info: write, warn: write, error: write };
}

describe.each(storages)("a logger on $name", ({ make }) => {
  test.each<[what: string, write: () => void]>([
    [
      "throws",
      () => {
        throw new Error("the disk is full");
      },
    ],
    ["rejects", async () => Promise.reject(new Error("the disk is full"))],
  ])(
    "that %s fails no run, loses no line that is kept with the job, and is warned of once",
    async (_, write) => {
      const warn = vi.spyOn(process, "emitWarning").mockImplementation(() => {});
      const queue = immediateQueue(make(), { talkative }, { logger: loggerThat(write) });
      const result = await queue.enqueue(talkative.job());
      expect(await result.wait()).toBe("done");
      expect((await result.logs()).map(({ level }) => level)).toEqual(LEVELS);
      expect(warn.mock.calls).toEqual([
        [expect.stringMatching(/logger of the queue 'default' .*the disk is full/), { code: "TASKQ_LOGGER" }],
      ]);
    },
  );

  test.each([
    ["an error", new Error("broken")],
    ["an error of another realm", runInNewContext("new Error('broken')") as Error],
  ])("is told of %s by itself as of the field err, with its message as the text", async (_, broken) => {
    const telling = task("telling", async (_input: void, { log }) => {
      log.error(broken);
      log.warn(broken, "as expected");
    });
    const lines: unknown[] = [];
    const write = (...line: readonly unknown[]): void => void lines.push(line);
    const queue = immediateQueue(make(), { telling }, { logger: loggerThat(write) });
    const result = await queue.enqueue(telling.job());
    const whose = { job: result.id, task: "telling", attempt: 1 };
    expect(lines).toEqual([
      [{ err: broken, ...whose }, "broken"],
      [{ err: broken, ...whose }, "as expected"],
    ]);
    expect(await result.logs()).toMatchObject([
      { level: "error", message: "broken", fields: { err: { name: "Error", message: "broken" } } },
      { level: "warn", message: "as expected", fields: { err: { message: "broken" } } },
    ]);
  });

  test("a line is kept without those of its fields that cannot be stored", async () => {
    const circular: Record<string, unknown> = {};
    circular["itself"] = circular;
    const telling = task("telling", async (_input: void, { log }) => {
      log.info({ user: new URL("https://shop.test"), order: 7, circular }, "charged");
    });
    const queue = immediateQueue(make(), { telling });
    const result = await queue.enqueue(telling.job());
    const leftOut = expect.stringContaining("left out");
    expect(await result.logs()).toMatchObject([
      { message: "charged", fields: { order: 7, user: leftOut, circular: leftOut } },
    ]);
  });

  test("is called as a method of its own, with the line and whose it is", async () => {
    class Recorder {
      readonly #lines: unknown[] = [];
      readonly lines = (): readonly unknown[] => this.#lines;
      debug(...line: readonly unknown[]) {
        this.#lines.push(["debug", ...line]);
      }
      info(...line: readonly unknown[]) {
        this.#lines.push(["info", ...line]);
      }
      warn(...line: readonly unknown[]) {
        this.#lines.push(["warn", ...line]);
      }
      error(...line: readonly unknown[]) {
        this.#lines.push(["error", ...line]);
      }
    }
    const logger = new Recorder();
    const queue = immediateQueue(make(), { talkative }, { logger });
    const { id } = await queue.enqueue(talkative.job());
    const whose = { job: id, task: "talkative", attempt: 1 };
    expect(logger.lines()).toEqual(LEVELS.map((level) => [level, { at: level, ...whose }, "said"]));
  });

  test("a line whose fields are none fails no run", async () => {
    const odd = task("odd", async (_input: void, { log }) => {
      log.info(undefined as never);
      log.info(null as never, "nothing");
      log.info({
        get field() {
          // Nothing that could be told as a text.
          throw Object.create(null);
        },
      });
    });
    const queue = immediateQueue(make(), { odd });
    expect(await (await queue.enqueue(odd.job())).wait()).toBeUndefined();
  });

  test.each([true, {}, null, { debug() {}, info() {}, warn() {} }, "pino"])(
    "that is none is refused: %j",
    (logger) => {
      const storage = make();
      expect(() => createQueue({ storage, tasks: {}, logger: logger as never })).toThrow(
        expect.objectContaining({
          code: "TASKQ_OPTION",
          message: expect.stringMatching(
            /^createQueue logger: expected a logger with debug\(\), info\(\), warn\(\) and error\(\), such as console, got /,
          ),
        }),
      );
    },
  );
});
