/** A better-sqlite3 that does not load, stood in for by one that breaks as it does. */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { afterTest, temporaryFolder } from "./support.ts";

const PROGRAM = `
  import { createQueue } from "@taskq/core";
  import { sqliteStorage } from "@taskq/sqlite";
  const queue = createQueue({ storage: sqliteStorage({ path: process.env.TASKQ_FILE }), tasks: {} });
  const error = await queue.counts().catch((refusal) => refusal);
  const cause = error.cause?.code;
  console.log(JSON.stringify({ code: error.code, message: error.message, cause }));
`;

interface Told {
  readonly code: string;
  readonly message: string;
  readonly cause: string | undefined;
}

/** What is told by a program of its own, since a driver is loaded once a process, and whether it left a file. */
async function openWith(
  makeDriver: (folder: string) => void,
  ...flags: readonly string[]
): Promise<Told & { readonly left: boolean }> {
  const folder = temporaryFolder();
  const driver = join(folder, "better-sqlite3");
  makeDriver(driver);
  const redirect = join(folder, "redirect.cjs");
  writeFileSync(
    redirect,
    `const Module = require("node:module");
     const found = Module._resolveFilename;
     Module._resolveFilename = (request, ...rest) =>
       request.startsWith("better-sqlite3")
         ? found(request.replace("better-sqlite3", ${JSON.stringify(driver)}), ...rest)
         : found(request, ...rest);`,
  );
  const file = join(folder, "jobs.db");
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [...flags, "--require", redirect, "--input-type=module", "--eval", PROGRAM],
    { cwd: join(import.meta.dirname, ".."), env: { ...process.env, TASKQ_FILE: file } },
  );
  return { ...(JSON.parse(stdout) as Told), left: existsSync(file) };
}

function driverThat(constructs: string): (folder: string) => void {
  return (folder) => {
    mkdirSync(folder);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ version: "12.11.1", main: "index.js" }));
    writeFileSync(join(folder, "index.js"), `module.exports = function Database() { ${constructs} };`);
  };
}

describe("a better-sqlite3 that cannot be loaded is told of with what helps, and no file is made", () => {
  test("one that was never compiled", async () => {
    const told = await openWith(
      driverThat(`throw new Error("Could not locate the bindings file. Tried:\\n → build");`),
    );
    expect(told).toMatchObject({ code: "TASKQ_STORAGE", left: false });
    expect(told.message).toMatch(
      /^better-sqlite3 12\.11\.1 could not be loaded in Node v.*'npm rebuild better-sqlite3'.*'pnpm approve-builds'.*: Could not locate/,
    );
  });

  test("one that was compiled for another Node", async () => {
    const told = await openWith(
      driverThat(
        `throw Object.assign(new Error("was compiled against a different Node.js version"), { code: "ERR_DLOPEN_FAILED" });`,
      ),
    );
    expect(told).toMatchObject({ code: "TASKQ_STORAGE", cause: "ERR_DLOPEN_FAILED", left: false });
    expect(told.message).toMatch(/could not be loaded in Node v.*: was compiled against a different/);
  });

  test("one that Node was told not to load", async () => {
    const told = await openWith(
      driverThat(
        `require(${JSON.stringify(createRequire(import.meta.url).resolve("better-sqlite3"))})(":memory:")`,
      ),
      "--no-addons",
    );
    expect(told).toMatchObject({ code: "TASKQ_STORAGE", cause: "ERR_DLOPEN_DISABLED", left: false });
    expect(told.message).toMatch(
      /could not be loaded in Node v.*; it is a native addon, which --no-addons forbids/,
    );
    expect(told.message).not.toContain("rebuild");
  });

  test("one that is not installed", async () => {
    const told = await openWith(() => {});
    expect(told).toMatchObject({ code: "TASKQ_STORAGE", cause: "MODULE_NOT_FOUND", left: false });
    expect(told.message).toMatch(
      /^better-sqlite3 could not be loaded in Node v.*not found.*'npm install better-sqlite3@12'.*: Cannot find module/,
    );
  });
});

describe("within a bundle better-sqlite3 is found", () => {
  test("of CommonJS, as esbuild makes it, from where the bundle lies", async () => {
    expect(await runBundle((source) => source.replaceAll("import.meta", "({})"))).toBe("true\n");
  });

  test("as webpack makes it, which takes createRequire for its own and writes down where the bundle was made", async () => {
    const written = await runBundle((source) =>
      source
        .replaceAll(/^import \{ createRequire \} from .*$/gm, "const createRequire = undefined;")
        .replaceAll("import.meta", '({ url: "file:///made/elsewhere/load-driver.js" })'),
    );
    expect(written).toBe("true\n");
  });
});

test("it is found by a program that was started in a folder that is gone", async () => {
  const folder = mkdtempSync(join(temporaryFolder(), "release-"));
  const file = join(temporaryFolder(), "program.mjs");
  writeFileSync(
    file,
    `import { sqliteStorage } from ${JSON.stringify(import.meta.resolve("@taskq/sqlite"))};
     const storage = sqliteStorage({ path: ${JSON.stringify(join(temporaryFolder(), "jobs.db"))} });
     const retention = { completed: { for: 1e9, max: 1e6 }, failed: { for: 1e9, max: 1e6 } };
     await storage.open({ queue: "main", retention });
     await storage.close();
     console.log("opened");`,
  );
  const start = 'rmdir "$PWD" && exec "$0" "$1"';
  const { stdout } = await promisify(execFile)("sh", ["-c", start, process.execPath, file], { cwd: folder });
  expect(stdout).toBe("opened\n");
});

/** What a program prints that is the driver's loader as a bundler puts it into CommonJS. */
async function runBundle(bundle: (source: string) => string): Promise<string> {
  const source = readFileSync(join(import.meta.dirname, "../dist/load-driver.js"), "utf8");
  const bundled = bundle(source)
    .replaceAll(/^import (\{.*\}|\w+) from (".*");$/gm, "const $1 = require($2);")
    .replaceAll(/^export /gm, "")
    .replace(/^\/\/# sourceMappingURL.*$/m, "");
  const folder = join(import.meta.dirname, "../.cache");
  mkdirSync(folder, { recursive: true });
  const file = join(mkdtempSync(join(folder, "bundle-")), "bundle.cjs");
  afterTest(() => rmSync(dirname(file), { recursive: true }));
  writeFileSync(file, `${bundled}\nconsole.log(new (loadDriver())(":memory:").open);`);
  const { stdout } = await promisify(execFile)(process.execPath, [file]);
  return stdout;
}

test("what tools replace that compile it to CommonJS is written as they know it", () => {
  const source = readFileSync(new URL("../src/load-driver.ts", import.meta.url), "utf8");
  const code = source.replaceAll(/\/\*\*[^]*?\*\//g, "");
  expect(code.match(/import\.meta\b.{4}/g)).toEqual(["import.meta.url"]);
});
