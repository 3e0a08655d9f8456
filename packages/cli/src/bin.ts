#!/usr/bin/env node
import { main } from "./main.js";

// Whoever has nobody to tell goes on in silence: a log that breaks must not stop a worker, nor break off a move.
for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});

const code = await main(process.argv.slice(2));
// The user's module may hold connections and timers of its own, which would keep this process for ever.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
