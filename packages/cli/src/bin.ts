#!/usr/bin/env node
import { exitCode } from "./exit-code.js";
import { refusalOfNode } from "./node-version.js";

const refusal = refusalOfNode(process.versions.node);
if (refusal !== undefined) {
  process.stderr.write(`taskq: ${refusal}\n`);
  process.exit(exitCode.failure);
}
// Whoever has nobody to tell goes on in silence: a log that breaks must not stop a worker, nor break off a move.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const { main } = await import("./main.js").catch((error: unknown) => {
  // It is a peer: npm installs it, other package managers may not.
  if (!String(error).includes("Cannot find package '@taskq/core'")) throw error;
  process.stderr.write(
    "taskq: needs @taskq/core beside @taskq/cli, which is not there: npm install @taskq/core\n",
  );
  process.exit(exitCode.failure);
});
const code = await main(process.argv.slice(2));
// The user's module may hold connections and timers of its own, which would keep this process for ever.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
