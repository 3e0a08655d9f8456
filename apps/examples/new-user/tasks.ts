import { group, task, type Job } from "@taskq/core";

export const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
export const double = task("double", async (value: number) => value * 2);
export const sum = task("sum", async (values: readonly number[]) =>
  values.reduce((total, value) => total + value, 0),
);

/** Doubles side by side, then adds up. */
export function sumOfDoubles(values: readonly number[]): Job<number, "double" | "sum"> {
  return group(values.map((value) => double.job(value))).pipe(sum);
}
