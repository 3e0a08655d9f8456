import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { travelSuite } from "@taskq/conformance";
import { memoryStorage } from "@taskq/memory";
import { afterAll, describe, test } from "vitest";
import { sqliteStorage } from "../src/index.js";

const folder = mkdtempSync(join(tmpdir(), "taskq-travel-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sqlite = () => sqliteStorage({ path: join(folder, `${(files += 1)}.db`) });
const runner = { describe, test };

travelSuite({ runner, name: "memory", stores: [memoryStorage], reference: memoryStorage });
travelSuite({ runner, name: "sqlite", stores: [sqlite], reference: memoryStorage });
travelSuite({ runner, name: "memory and sqlite", stores: [memoryStorage, sqlite], reference: memoryStorage });
