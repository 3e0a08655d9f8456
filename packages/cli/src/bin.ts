#!/usr/bin/env node
import { main } from "./main.js";

const code = await main(process.argv.slice(2));
// The user's module may hold connections and timers of its own, which would keep this process for ever.
process.stdout.write("", () => process.stderr.write("", () => process.exit(code)));
