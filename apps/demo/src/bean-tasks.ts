import { task } from "@taskq/core";
import { setTimeout as sleep } from "node:timers/promises";

/** Counting takes its time: a hundredth of a second for each bean, at most two seconds. */
export const countBeans = task("count-beans", async (beans: number, { progress }) => {
  await progress("counting");
  await sleep(Math.min(beans * 10, 2_000));
  return `Counted ${beans.toLocaleString("en")} ${beans === 1 ? "bean" : "beans"}.`;
});
