// `pnpm check:nodes [major …]`: the test suite on newer Nodes (22 and 24). better-sqlite3 12 is compiled for one Node
// and npm's `node` package brings no headers, so each runs in a copy of the work tree with better-sqlite3 13, whose
// package holds one binary for all of them.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { SetupError, environment, main, prepare, root, run, say } from "./setup.mjs";

const sqliteVersion = "13.2.0";

/** Where npx put that Node. */
function nodeOf(major) {
  const args = ["-y", `node@${major}`, "-p", "process.execPath"];
  const path = execFileSync("npx", args, { cwd: root, env: environment(), encoding: "utf8" }).trim();
  if (!existsSync(path)) throw new SetupError(`npx -y node@${major} did not answer a path: ${path}`);
  return path;
}

/** Copies what git knows or would add; packages already installed in an earlier copy stay. */
function copyTree(target) {
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(target)) {
    if (name !== "node_modules" && name !== "packages" && name !== "apps")
      rmSync(join(target, name), { recursive: true });
  }
  for (const parent of ["packages", "apps"]) {
    if (!existsSync(join(target, parent))) continue;
    for (const name of readdirSync(join(target, parent))) {
      for (const entry of readdirSync(join(target, parent, name))) {
        if (entry !== "node_modules") rmSync(join(target, parent, name, entry), { recursive: true });
      }
    }
  }
  const list = ["ls-files", "-co", "--exclude-standard", "-z"];
  const files = execFileSync("git", list, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 26 }).split("\0");
  for (const file of files) {
    if (file !== "" && existsSync(join(root, file))) cpSync(join(root, file), join(target, file));
  }
}

/** Puts better-sqlite3 13 into the catalog, and below every other dependency too. */
function useNewerSqlite(target) {
  const path = join(target, "pnpm-workspace.yaml");
  const before = readFileSync(path, "utf8");
  const after = before
    .replace(/^( {2}better-sqlite3: )\^12.*$/m, `$1^${sqliteVersion}`)
    // its binaries come in the package; allowed to build, pnpm would compile all the same
    .replace(/^( {2}better-sqlite3: )true$/m, "$1false");
  if (!after.includes(sqliteVersion) || !after.includes("better-sqlite3: false")) {
    throw new SetupError(
      "pnpm-workspace.yaml: better-sqlite3 ^12 in the catalog and in allowBuilds is expected",
    );
  }
  writeFileSync(path, `${after}\noverrides:\n  better-sqlite3: ${sqliteVersion}\n`);
}

function checkNode(major) {
  const target = join(root, ".cache", "nodes", major);
  say(`--- Node ${major}, in ${target}`);
  const begun = performance.now();
  const node = nodeOf(major);
  copyTree(target);
  useNewerSqlite(target);
  const env = environment();
  env.PATH = [dirname(node), env.PATH].join(delimiter);
  // those headers belong to the Node that runs this script; turbo's cache keys do not see a file git ignores
  delete env.npm_config_nodedir;
  env.TURBO_FORCE = "true";
  const options = { cwd: target, env };
  const install = ["install", "--no-frozen-lockfile", "--config.confirm-modules-purge=false"];
  if (run("pnpm", install, options) !== 0)
    throw new SetupError(`Node ${major}: pnpm install failed; see above.`);
  const ok = run(node, [".ci/test.mjs"], options) === 0;
  say(`--- ${ok ? "ok" : "FAILED"}, ${((performance.now() - begun) / 1000).toFixed(0)} s: Node ${major}`);
  return ok;
}

await main(() => {
  prepare();
  const majors = process.argv.length > 2 ? process.argv.slice(2) : ["22", "24"];
  const failed = majors.filter((major) => !checkNode(major));
  if (failed.length > 0) throw new SetupError(`the suite failed on Node ${failed.join(", ")}`);
  return 0;
});
