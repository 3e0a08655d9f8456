/** One of the two places between which the queue of `move-under-load.test.ts` travels; see `places.ts`. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { dyingStorage } from "@taskq/conformance";
import { createQueue, task } from "@taskq/core";

const { LEDGER = "", DIE_AT, DIE_WHEN } = process.env;

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

/** Of both places together. */
const dying = dyingStorage({ call: Number(DIE_AT), when: DIE_WHEN });

export function placeOn(storage) {
  return createQueue({ name: "load", storage: dying(storage), tasks: { work, increase, sum } });
}
