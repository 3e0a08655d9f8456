import { task } from "@taskq/core";
export const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);
