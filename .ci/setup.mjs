// Prepares a fresh clone: checks Node, finds or fetches pnpm, installs, compiles. Built-in modules only, as
// nothing is installed yet when it runs. `node .ci/setup.mjs [command …]` prepares, then runs the command.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { compileSqlite } from "./compile-sqlite.mjs";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const windows = process.platform === "win32";
const stampFile = join(root, "node_modules", ".taskq-setup");
const toolFolder = join(root, ".cache", "tools", "pnpm");
const oldestNode = [20, 19];
const oldestPnpm = [10, 34];

export const say = (line) => console.log(`taskq: ${line}`);

/** Ends the program with a message instead of a stack trace. */
export class SetupError extends Error {}

const readJson = (path) => JSON.parse(readFileSync(path, "utf8"));

function atLeast(version, [major, minor]) {
  const [ours = 0, oursMinor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return ours > major || (ours === major && oursMinor >= minor);
}

function checkNode() {
  if (atLeast(process.version, oldestNode)) return;
  throw new SetupError(
    `Node ${oldestNode.join(".")} or newer is needed; this is ${process.version} (${process.execPath}).`,
  );
}

// npm hands its own settings to what it runs as npm_* variables; pnpm would take them for its own. Settings
// that say how this machine reaches the registry, or compiles, are kept.
const keptSettings =
  /^npm_config_(registry|proxy|https_proxy|noproxy|cafile|ca|strict_ssl|nodedir|python|jobs|@.*)$/i;

/** The environment for pnpm, turbo and all below them. */
export function environment() {
  const env = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (/^npm_/i.test(name) && !keptSettings.test(name)) continue;
    env[name] = value;
  }
  const paths = [join(toolFolder, "node_modules", ".bin"), join(root, "node_modules", ".bin")];
  const pathName = Object.keys(env).find((name) => name.toUpperCase() === "PATH") ?? "PATH";
  // npm and pnpm put the folders of their own scripts in front; ours go in front of those
  env[pathName] = [...paths, env[pathName]].join(delimiter);
  const prefix = resolve(process.execPath, windows ? ".." : "../..");
  if (!env.npm_config_nodedir && existsSync(join(prefix, "include", "node", "node.h"))) {
    env.npm_config_nodedir = prefix;
  }
  env.TURBO_TELEMETRY_DISABLED = "1";
  env.DO_NOT_TRACK = "1";
  return env;
}

/** Runs a command to its end with our terminal; answers its exit code. */
export function run(command, args, options = {}) {
  const outcome = spawnSync(command, args, {
    cwd: root,
    env: environment(),
    stdio: "inherit",
    shell: windows,
    ...options,
  });
  if (outcome.error) throw new SetupError(`${command} did not start: ${outcome.error.message}`);
  return outcome.status ?? 1;
}

function output(command, args, cwd = root) {
  const outcome = spawnSync(command, args, { cwd, env: environment(), encoding: "utf8", shell: windows });
  return outcome.status === 0 ? outcome.stdout.trim() : undefined;
}

function ensurePnpm() {
  const found = output("pnpm", ["--version"]);
  if (found !== undefined && atLeast(found, oldestPnpm)) return;
  const wanted = readJson(join(root, "package.json")).packageManager;
  say(
    `no pnpm ${oldestPnpm.join(".")} or newer here; putting ${wanted} into .cache/tools (nothing global) …`,
  );
  const args = [
    "install",
    "--prefix",
    toolFolder,
    "--no-save",
    "--no-audit",
    "--no-fund",
    "--loglevel=error",
  ];
  if (run("npm", [...args, wanted]) !== 0 || output("pnpm", ["--version"]) === undefined) {
    throw new SetupError(`npm could not install ${wanted}; see above. The npm registry has to be reachable.`);
  }
}

function manifests() {
  const found = ["package.json", "pnpm-lock.yaml", "pnpm-workspace.yaml"];
  for (const folder of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, folder)).toSorted()) {
      const manifest = join(folder, name, "package.json");
      if (existsSync(join(root, manifest))) found.push(manifest);
    }
  }
  return found;
}

function stamp() {
  const hash = createHash("sha256");
  for (const file of manifests())
    hash
      .update(`${file}\0`)
      .update(readFileSync(join(root, file)))
      .update("\0");
  return {
    manifests: hash.digest("hex"),
    runtime: `${process.platform}-${process.arch}-${process.versions.modules}`,
  };
}

// better-sqlite3 is compiled for one Node: opening a database is the only proof that it fits this one
const opensDatabase = `const Database = require("better-sqlite3"); new Database(":memory:").close();`;
const sqliteWorks = () =>
  output(process.execPath, ["-e", opensDatabase], join(root, "packages", "sqlite")) !== undefined;

const firstFound = (...names) => names.find((name) => output(name, ["--version"]) !== undefined);
const compilerHere = () => firstFound("c++", "g++", "clang++");
const lacksGypTools = () => !windows && !(firstFound("make") && firstFound("python3", "python"));

/** Makes better-sqlite3 fit this Node: through pnpm and node-gyp, or by the compiler alone. */
function compileDatabase() {
  say("compiling better-sqlite3 for this Node, about a minute …");
  if (!lacksGypTools()) {
    run("pnpm", ["rebuild", "--recursive", "better-sqlite3"]);
    return;
  }
  const compiler = compilerHere();
  const { npm_config_nodedir: prefix } = environment();
  if (compiler === undefined || prefix === undefined) return;
  const folder = realpathSync(join(root, "packages", "sqlite", "node_modules", "better-sqlite3"));
  compileSqlite({ folder, headers: join(prefix, "include", "node"), compiler, run });
}

function explainCompile() {
  if (!windows && compilerHere() === undefined) return "no C++ compiler found (Debian: apt-get install g++)";
  if (environment().npm_config_nodedir === undefined) return `${process.execPath} came without its headers`;
  return "see above";
}

function installPackages() {
  const wanted = stamp();
  let previous;
  try {
    previous = readJson(stampFile);
  } catch {
    // never set up, or by a plain `pnpm install`
  }
  if (previous?.manifests === wanted.manifests && previous.runtime === wanted.runtime) return;
  // what follows may fail halfway; the next run must not take it for done
  rmSync(stampFile, { force: true });
  if (previous?.manifests !== wanted.manifests) {
    say("installing packages; the first time, better-sqlite3 is compiled, which takes a minute or two …");
    // pnpm asks before it removes another package manager's node_modules; here nobody may be there to answer
    const args = ["install", "--frozen-lockfile", "--config.confirm-modules-purge=false"];
    if (lacksGypTools()) args.push("--ignore-scripts");
    if (run("pnpm", args) !== 0) throw new SetupError(`pnpm install failed: ${explainCompile()}.`);
  }
  if (!sqliteWorks()) compileDatabase();
  if (!sqliteWorks()) throw new SetupError(`better-sqlite3 does not load: ${explainCompile()}.`);
  writeFileSync(stampFile, JSON.stringify(wanted));
}

/** Everything up to compiled packages. Quick when nothing changed. */
export function prepare() {
  checkNode();
  ensurePnpm();
  installPackages();
  say("building …");
  const code = run("turbo", ["run", "build", "--output-logs=errors-only", "--log-prefix=none"]);
  if (code !== 0) throw new SetupError("the build failed; see above.");
}

/** Hands the terminal to a program until it ends; answers its exit code. */
function become(command, args) {
  const child = spawn(command, args, { cwd: root, env: environment(), stdio: "inherit", shell: windows });
  // a terminal's Ctrl-C reaches the child by itself: it stops gracefully while we wait for it
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((done, fail) => {
    child.on("error", (error) => fail(new SetupError(`${command} did not start: ${error.message}`)));
    child.on("exit", (code) => done(code ?? 1));
  });
}

/** Runs a program's main function, which answers an exit code; a SetupError becomes one line and exit code 1. */
export async function main(work) {
  try {
    process.exitCode = await work();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`taskq: ${error.message}`);
    process.exitCode = 1;
  }
}

/** Whether this file is the program that was started. */
export const isProgram = (url) => url === pathToFileURL(process.argv[1] ?? "").href;

if (isProgram(import.meta.url)) {
  const [command, ...args] = process.argv.slice(2);
  await main(() => {
    prepare();
    return command === undefined ? 0 : become(command === "node" ? process.execPath : command, args);
  });
}
