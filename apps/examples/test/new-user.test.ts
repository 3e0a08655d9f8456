import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
const repository = fileURLToPath(new URL("../../..", import.meta.url));
const program = fileURLToPath(new URL("../new-user", import.meta.url));

const PACKAGES = ["core", "memory", "sqlite", "consumer", "signed-serializer"];
/** npm compiles better-sqlite3, which takes more than a minute; pnpm finds it compiled in its store. */
const PATIENCE = 400_000;
/** Without `@types/node`. */
const BARE = "tsconfig.bare.json";
const MEMORY = "  storage: memoryStorage(),\n";
const SQLITE = '  storage: sqliteStorage({ path: "jobs.db" }),\n';
const SIGNED = `${SQLITE}  serializer: signedSerializer({ secret: "a secret of at least thirty-two bytes" }),\n`;
const SIGNED_IMPORT = 'import { signedSerializer } from "@taskq/signed-serializer";\n';
const PRINTED = "2 + 3 = 5\ndoubled and added up: 12.0\ncompleted: 5\n";

let folder = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "taskq-new-user-"));
  await cp(program, folder, { recursive: true });
  const tarballs = await pack(join(folder, "tarballs"));
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest(tarballs), undefined, 2));
  await install();
}, PATIENCE);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

test("a new user's program compiles against the packed packages, their declarations checked too", async () => {
  expect(await compile()).toBe("");
}, 60_000);

test("it compiles without the declarations of Node, which a project need not have", async () => {
  expect(await compile(BARE)).toBe("");
}, 60_000);

test("it runs in memory, and on SQLite after a change of one line", async () => {
  expect(await compile()).toBe("");
  expect(await runProgram()).toBe(PRINTED);

  const source = await readFile(join(folder, "queue.ts"), "utf8");
  expect(source.split(MEMORY)).toHaveLength(2);
  await writeFile(join(folder, "queue.ts"), source.replace(MEMORY, SQLITE));
  expect(await compile()).toBe("");
  expect(await runProgram()).toBe(PRINTED);
  expect((await stat(join(folder, "jobs.db"))).size).toBeGreaterThan(0);
}, 120_000);

test("it runs with signed messages after a change of one line more", async () => {
  const file = join(folder, "queue.ts");
  const source = await readFile(file, "utf8");
  await writeFile(file, SIGNED_IMPORT + source.replace(MEMORY, SQLITE).replace(SQLITE, SIGNED));
  await rm(join(folder, "jobs.db"), { force: true });
  expect(await compile(BARE)).toBe("");
  expect(await compile()).toBe("");
  expect(await runProgram()).toBe(PRINTED);
  const stored = await readFile(join(folder, "jobs.db"));
  expect(stored.includes(Buffer.from("\u00fd\u0001\u0001\u0007default", "latin1"))).toBe(true);
}, 120_000);

/** Packs what would be published; answers the tarball of each package. */
async function pack(destination: string): Promise<ReadonlyMap<string, string>> {
  const tarballs = new Map<string, string>();
  for (const name of PACKAGES) {
    const cwd = join(repository, "packages", name);
    await run("pnpm", ["pack", "--pack-destination", destination], { cwd });
    const files = await readdir(destination);
    const file = files.find((candidate) => candidate.startsWith(`taskq-${name}-`));
    if (file === undefined) throw new Error(`pnpm pack made no tarball of ${name}, but ${files.join(", ")}`);
    tarballs.set(`@taskq/${name}`, `file:${join(destination, file)}`);
  }
  return tarballs;
}

function manifest(tarballs: ReadonlyMap<string, string>): object {
  const core = tarballs.get("@taskq/core");
  return {
    name: "new-user",
    private: true,
    type: "module",
    dependencies: Object.fromEntries(tarballs),
    devDependencies: { typescript: "7.0.2", "@types/node": "20.19.43" },
    // The peer that the others ask for is in no registry yet.
    overrides: { "@taskq/core": core },
    pnpm: { overrides: { "@taskq/core": core }, onlyBuiltDependencies: ["better-sqlite3"] },
  };
}

async function install(): Promise<void> {
  const environment = { ...process.env, CI: "1" };
  try {
    await run("pnpm", ["install", "--prefer-offline", "--no-frozen-lockfile", "--ignore-workspace"], {
      cwd: folder,
      env: environment,
    });
  } catch (error) {
    console.warn("pnpm could not install the packed packages; trying npm:", error);
    await rm(join(folder, "node_modules"), { recursive: true, force: true });
    await run("npm", ["install", "--no-audit", "--no-fund"], { cwd: folder, env: environment });
  }
}

/** What the compiler complains of. */
async function compile(project = "tsconfig.json"): Promise<string> {
  const compiler = join(folder, "node_modules", ".bin", "tsc");
  try {
    const { stdout } = await run(compiler, ["--project", join(folder, project), "--pretty", "false"], {
      cwd: folder,
    });
    return stdout;
  } catch (error) {
    if (error instanceof Error && "stdout" in error && error.stdout !== "") return String(error.stdout);
    throw error;
  }
}

async function runProgram(): Promise<string> {
  const { stdout } = await run(process.execPath, ["dist/main.js"], { cwd: folder, timeout: 30_000 });
  return stdout;
}
