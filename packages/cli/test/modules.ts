/** Modules of users, as texts. */

/** A queue on a file, with one task of each kind. */
export const SHOP = `
import { createQueue, cron, every, periodic, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { setTimeout as sleep } from "node:timers/promises";

export const add = task("add", async ({ a, b }) => a + b);
export const charge = task("charge", { retries: 1, priority: 100, timeout: "30s" }, async () => {
  throw new Error("the bank is closed");
});
export const slow = task("slow", async (milliseconds) => {
  await sleep(milliseconds);
  return "done";
});
export const nightly = periodic("nightly", cron("0 2 * * *", { timeZone: "Europe/Paris" }), async () => {});
export const heartbeat = periodic("heartbeat", every("1h"), async () => {});
export const shop = createQueue({
  name: "shop",
  storage: sqliteStorage({ path: "jobs.db" }),
  tasks: { add, charge, slow, nightly, heartbeat },
});
`;

/** Types, an enum, and a neighbour imported by the name that a build would give it. */
export const TYPED = `
import { createQueue, task, type Queue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import { factor } from "./factor.js";

enum Unit { One = 1 }
export const times = task("times", async ({ value }: { value: number }) => value * factor * Unit.One);
export const queue = createQueue({ storage: sqliteStorage({ path: "typed.db" }), tasks: { times } }) satisfies Queue;
`;
export const FACTOR = `export const factor: number = 5;\n`;

export const ES_MODULE = JSON.stringify({ type: "module" });
export const NO_TYPE = JSON.stringify({ name: "no-type-given" });
/** As `npm init -y` writes it. */
export const COMMON_JS = JSON.stringify({ type: "commonjs" });

/** TypeScript in many files, each imported in another of the ways that people write. */
export const LAYERS = {
  "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "#units/*": ["./src/units/*"] } } }),
  "queue.ts": `export { queue } from "./src/queue";\n`,
  "src/queue.ts": `
import { createQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
import * as tasks from "./tasks.js";
export const queue = createQueue({ storage: sqliteStorage({ path: "typed.db" }), tasks });
`,
  "src/tasks.ts": `
import { task } from "@taskq/core";
import { factor } from "./factors";
import { one } from "./one";
import { zero } from "./zero.mjs";
import { also } from "./view.jsx?version=1";
export const times = task("times", async ({ value }: { value: number }) => value * factor * one + zero + also);
`,
  "src/factors/index.ts": `export { factor } from "./factor.ts";\n`,
  "src/factors/factor.ts": `export const factor: number = await Promise.resolve(5);\n`,
  "src/one.ts": `export { one } from "#units/one";\n`,
  "src/units/one.ts": `export enum Unit { One = 1 }\nexport const one = Unit.One;\n`,
  "src/zero.mts": `export const zero: number = 0;\n`,
  "src/view.tsx": `export const also: number = await Promise.resolve(0);\n`,
};

/** A package within a larger one, whose settings only its own tsconfig has: names of folders, and decorators of the older kind. */
export const PACKAGE_WITHIN = {
  "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "#parts/*": ["./nowhere/*"] } } }),
  "jobs/tsconfig.base.json": `{
    // Of the older kind, of which the second argument is a text.
    "compilerOptions": { "experimentalDecorators": true, },
  }`,
  "jobs/tsconfig.json": JSON.stringify({
    extends: "./tsconfig.base.json",
    compilerOptions: { paths: { "#parts/*": ["./src/*"] } },
  }),
  "jobs/src/unit.ts": `
function named(target: object, name: string | object): void {
  if (typeof name !== "string") throw new Error("decorators of the newer kind");
}
export class Unit { @named one(): number { return 1; } }
`,
  "jobs/queue.ts": `import { Unit } from "#parts/unit";
import { createQueue, task } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";
export const times = task("times", async ({ value }: { value: number }) => value * 5 * new Unit().one());
export const queue = createQueue({ storage: sqliteStorage({ path: "typed.db" }), tasks: { times } });
`,
};
