/** One of the two places between which the queue of `move-under-load.test.ts` travels; see `places.ts`. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { createQueue, task } from "@taskq/core";

const { LEDGER = "", DIE_AT, DIE_WHEN } = process.env;
let calls = 0;

/** A run that began: by which process, of which job. */
function write(id) {
  appendFileSync(LEDGER, `${process.pid} ${id}\n`);
}

const work = task("work", { retries: 0 }, async (milliseconds, { id }) => {
  write(id);
  await sleep(milliseconds);
  return milliseconds;
});
const increase = task("increase", { retries: 0 }, async (n, { id }) => {
  write(id);
  return n + 1;
});
const sum = task("sum", { retries: 0 }, async (numbers, { id }) => {
  write(id);
  return numbers.reduce((total, n) => total + n, 0);
});

function die() {
  process.kill(process.pid, "SIGKILL");
}

/** The storage, whose calls of a move are counted over all storages: at one of them the process ends. */
function dying(storage) {
  return new Proxy(storage, {
    get(target, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = value.bind(target);
      if (property !== "export" && property !== "import") return method;
      return async (request) => {
        calls += 1;
        if (calls !== Number(DIE_AT)) return method(request);
        if (DIE_WHEN === "before") die();
        const answer = method(request);
        if (DIE_WHEN === "during") setImmediate(die);
        await answer;
        die();
        return answer;
      };
    },
  });
}

export function placeOn(storage) {
  return createQueue({ name: "load", storage: dying(storage), tasks: { work, increase, sum } });
}
