// `pnpm check:servers [suite:package …]`: the tests of the Redis storage on newer servers than the machine has: Redis 8 of Debian 13
// and Valkey 9 of Debian's unstable suite. Their packages are fetched from Debian's archive and unpacked below .cache/servers together
// with the C library and all else they are linked to, so that they run on whatever Linux this is (x86-64). Nothing is installed.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { SetupError, environment, main, prepare, root, run, say } from "./setup.mjs";

const archive = process.env.TASKQ_DEBIAN_ARCHIVE ?? "http://deb.debian.org/debian";
const servers = ["trixie:redis-server", "sid:valkey-server"];
/** In Debian the server is a link into the package of tools. */
const tools = { "redis-server": "redis-tools", "valkey-server": "valkey-tools" };

async function fetched(url) {
  const response = await fetch(url);
  if (!response.ok) throw new SetupError(`${url}: ${response.status} ${response.statusText}`);
  return Buffer.from(await response.arrayBuffer());
}

/** Of each package of a suite, by its name, its file and the names that it depends on. */
async function packagesOf(suite) {
  const url = `${archive}/dists/${suite}/main/binary-amd64/Packages.gz`;
  const packages = new Map();
  for (const paragraph of gunzipSync(await fetched(url))
    .toString("utf8")
    .split("\n\n")) {
    const field = (name) => new RegExp(`^${name}: (.*)$`, "m").exec(paragraph)?.[1];
    const depends = [field("Pre-Depends"), field("Depends")].filter(Boolean).join(", ");
    // of alternatives the first; without versions
    const names = depends.split(",").map((one) => one.trim().split(/[ |:(]/)[0]);
    packages.set(field("Package"), { file: field("Filename"), depends: names.filter((name) => name !== "") });
  }
  return packages;
}

/** The server, its tools, and all libraries below them. */
function needed(packages, server) {
  const names = new Set([server, tools[server]]);
  for (const name of names) {
    for (const other of packages.get(name)?.depends ?? []) {
      if (other === "libc6" || /^lib|^lua-|^zlib1g$/.test(other)) names.add(other);
    }
  }
  return [...names].filter((name) => packages.get(name)?.file !== undefined);
}

/** Unpacks a server and answers a program that starts it. */
async function unpacked(suite, server) {
  const folder = join(root, ".cache", "servers", `${suite}-${server}`);
  const program = join(folder, "server");
  if (existsSync(program)) return program;
  mkdirSync(folder, { recursive: true });
  const packages = await packagesOf(suite);
  if (!packages.has(server)) throw new SetupError(`${archive} has no ${server} in ${suite}`);
  for (const name of needed(packages, server)) {
    const path = join(folder, `${name}.deb`);
    writeFileSync(path, await fetched(`${archive}/${packages.get(name).file}`));
    if (run("dpkg", ["-x", path, folder], { cwd: root }) !== 0)
      throw new SetupError(`dpkg -x ${path} failed; see above.`);
  }
  const libraries = join(folder, "usr", "lib", "x86_64-linux-gnu");
  const loader = join(libraries, "ld-linux-x86-64.so.2");
  const binary = join(folder, "usr", "bin", server);
  const line = `exec "${loader}" --library-path "${libraries}" --argv0 ${server} "${binary}" "$@"`;
  writeFileSync(program, `#!/bin/sh\n${line}\n`);
  chmodSync(program, 0o755);
  return program;
}

async function checkServer(name) {
  const [suite, server] = name.split(":");
  if (tools[server] === undefined)
    throw new SetupError(`expected suite:redis-server or suite:valkey-server; got ${name}`);
  const program = await unpacked(suite, server);
  say(`--- ${execFileSync(program, ["--version"], { encoding: "utf8" }).trim()}`);
  const env = { ...environment(), TASKQ_REDIS_SERVER: program };
  delete env.TASKQ_REDIS_URL;
  const ok = run("npx", ["vitest", "run"], { cwd: join(root, "packages", "redis"), env }) === 0;
  say(`--- ${ok ? "ok" : "FAILED"}: ${name}`);
  return ok;
}

await main(async () => {
  prepare();
  if (run("pnpm", ["turbo", "run", "build"], { cwd: root, env: environment() }) !== 0)
    throw new SetupError("the build failed; see above.");
  const names = process.argv.length > 2 ? process.argv.slice(2) : servers;
  const failed = [];
  for (const name of names) if (!(await checkServer(name))) failed.push(name);
  if (failed.length > 0) throw new SetupError(`the suite failed on ${failed.join(", ")}`);
  return 0;
});
