// A Redis server for the tests, in this order: the guest's server of TASKQ_REDIS_URL; the binary of TASKQ_REDIS_SERVER;
// redis-server or valkey-server on the PATH; a private copy below .cache/tools/redis, which on Debian and Ubuntu is
// fetched with apt-get download and unpacked with dpkg -x. Nothing is installed on the system. Built-in modules only.
// packages/redis/test/servers/binary.ts looks in the same order, and never fetches.
import { spawnSync } from "node:child_process";
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const folder = join(root, ".cache", "tools", "redis");
const copyFile = join(folder, "copy.json");
/** The server, and in which package its program lies: in Debian, redis-server itself is a link into redis-tools. */
const offers = [
  { binary: "redis-server", packages: ["redis-server", "redis-tools"] },
  { binary: "valkey-server", packages: ["valkey-server", "valkey-tools"] },
];
/** How deep the libraries of libraries are looked for. */
const deepest = 3;

export const howToGetOne =
  "put redis-server or valkey-server on the PATH (apt-get install redis-server), or name a server: TASKQ_REDIS_URL=redis://localhost:6379 npm test";

function onPath(name) {
  for (const each of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(each, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** Where the tests find a server, without fetching one; `undefined` if nowhere. */
export function findServer() {
  const { TASKQ_REDIS_URL: url, TASKQ_REDIS_SERVER: given } = process.env;
  // without what may be a password in it
  if (url) return { kind: "guest", where: "the server of TASKQ_REDIS_URL" };
  const path = given || onPath("redis-server") || onPath("valkey-server");
  if (path) return { kind: "binary", where: path };
  if (!existsSync(copyFile)) return undefined;
  const { binary, libraries } = JSON.parse(readFileSync(copyFile, "utf8"));
  return starts(binary, libraries) ? { kind: "copy", where: binary } : undefined;
}

/** Finds a server, or fetches a private copy where that is possible. */
export function ensureServer(say) {
  const found = findServer();
  if (found !== undefined) return found;
  if (!["apt-get", "apt-cache", "dpkg"].every(onPath)) return undefined;
  for (const offer of offers) {
    say(`no ${offer.binary} here; unpacking a private copy below .cache/tools/redis …`);
    const copy = fetchCopy(offer, say);
    if (copy === undefined) continue;
    for (const each of ["apt", "archives"]) rmSync(join(folder, each), { recursive: true, force: true });
    writeFileSync(copyFile, `${JSON.stringify(copy, undefined, 2)}\n`);
    return { kind: "copy", where: copy.binary };
  }
  return undefined;
}

function fetchCopy({ binary: name, packages }, say) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const apt = packageLists(packages[0]);
  if (apt === undefined) {
    say(`apt does not know ${packages[0]}`);
    return undefined;
  }
  const unpacked = new Set();
  for (const each of packages) unpack(each, apt, unpacked, say);
  const binary = join(folder, "usr", "bin", name);
  if (!existsSync(binary)) return undefined;
  // its libraries: those of the packages that it depends on, as far as the system does not have them
  let level = packages;
  for (let depth = 0; depth < deepest && missingLibraries(binary).length > 0; depth += 1) {
    level = level.flatMap((each) => librariesOf(each, apt)).filter((each) => !unpacked.has(each));
    for (const each of new Set(level)) unpack(each, apt, unpacked, say);
  }
  const libraries = libraryFolders();
  if (starts(binary, libraries)) return { binary, libraries, packages: [...unpacked] };
  say(
    `the copy of ${name} does not start; it lacks ${missingLibraries(binary).join(", ") || "nothing it names"}`,
  );
  return undefined;
}

/** The options with which apt knows a package: with the system's lists, or with lists of our own, as the system's may be empty. */
function packageLists(name) {
  const plain = [];
  if (isOffered(name, plain)) return plain;
  const own = join(folder, "apt");
  for (const each of ["state/lists/partial", "cache/archives/partial"])
    mkdirSync(join(own, each), { recursive: true });
  const options = [
    "-o",
    `Dir::State::lists=${join(own, "state/lists")}`,
    "-o",
    `Dir::Cache=${join(own, "cache")}`,
  ];
  run("apt-get", [...options, "-q", "update"]);
  return isOffered(name, options) ? options : undefined;
}

/** Whether apt knows where to download it from. */
const isOffered = (name, apt) =>
  /^'https?:/m.test(run("apt-get", [...apt, "--print-uris", "download", name]).stdout);

function unpack(name, apt, unpacked, say) {
  const archives = join(folder, "archives");
  mkdirSync(archives, { recursive: true });
  const before = new Set(readdirSync(archives));
  const outcome = run("apt-get", [...apt, "-q", "download", name], archives);
  const archive = readdirSync(archives).find((each) => each.endsWith(".deb") && !before.has(each));
  if (archive === undefined) {
    say(`${name} could not be downloaded: ${outcome.stderr.trim().split("\n").at(-1) ?? ""}`);
    return;
  }
  run("dpkg", ["-x", join(archives, archive), folder]);
  unpacked.add(name);
}

/** The packages of libraries that a package depends on. */
function librariesOf(name, apt) {
  const depends = run("apt-cache", [...apt, "depends", name]).stdout;
  return [...depends.matchAll(/^\s+\|?Depends: ((?:lib|lua-)\S+)$/gm)]
    .map(([, found]) => found)
    .filter((found) => !/^lib(c6|gcc-s1|stdc\+\+6)$/.test(found));
}

function missingLibraries(binary) {
  const { stdout } = run("ldd", [binary], folder, environmentFor(libraryFolders()));
  return [...stdout.matchAll(/^\s*(\S+) => not found$/gm)].map(([, name]) => name);
}

/** The folders of the copy that hold shared libraries. */
function libraryFolders() {
  const found = new Set();
  for (const top of ["usr/lib", "lib"]) {
    if (!existsSync(join(folder, top))) continue;
    for (const entry of readdirSync(join(folder, top), { recursive: true, withFileTypes: true })) {
      if (/\.so(\.|$)/.test(entry.name)) found.add(entry.parentPath);
    }
  }
  return [...found];
}

const environmentFor = (libraries) => ({ ...process.env, LD_LIBRARY_PATH: libraries.join(delimiter) });

const starts = (binary, libraries) =>
  existsSync(binary) && run(binary, ["--version"], folder, environmentFor(libraries)).status === 0;

function run(command, args, cwd = root, env = process.env) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, env, encoding: "utf8" });
  return { status, stdout: stdout ?? "", stderr: stderr ?? "" };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const server = ensureServer((line) => console.error(`taskq: ${line}`));
  if (server === undefined) console.error(`taskq: no Redis server for the tests; ${howToGetOne}`);
  else console.log(server.where);
  process.exitCode = server === undefined ? 1 : 0;
}
