// Compiles better-sqlite3 with a C++ compiler alone, for machines without the make and Python that node-gyp wants:
// SQLite as one C file, the binding as one C++ file, with the definitions of the package's own build files.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Leaves `build/Release/better_sqlite3.node` in the package's folder.
 * `run(command, args)` runs a command and answers its exit code; `headers` is the folder with `node.h`.
 */
export function compileSqlite({ folder, headers, compiler, run }) {
  const release = join(folder, "build", "Release");
  mkdirSync(release, { recursive: true });
  const definitions = [
    ...readFileSync(join(folder, "deps", "defines.gypi"), "utf8").matchAll(/'(\w+(?:=-?\w+)?)',/g),
  ];
  const defines = definitions.map((match) => `-D${match[1]}`);
  const sqlite = join(folder, "deps", "sqlite3");
  const common = ["-O3", "-fPIC", "-DNDEBUG", "-w", "-pthread"];
  const [cObject, cppObject] = [join(release, "sqlite3.o"), join(release, "better_sqlite3.o")];
  const asC = ["-x", "c", "-std=c99", ...common, ...defines, "-c", join(sqlite, "sqlite3.c"), "-o", cObject];
  const binding = ["-fno-rtti", "-DNODE_GYP_MODULE_NAME=better_sqlite3", "-DBUILDING_NODE_EXTENSION"];
  const includes = [`-I${headers}`, `-I${sqlite}`];
  const source = join(folder, "src", "better_sqlite3.cpp");
  const asCpp = ["-std=c++20", ...common, ...binding, ...includes, "-c", source, "-o", cppObject];
  const shared =
    process.platform === "darwin"
      ? ["-bundle", "-undefined", "dynamic_lookup"]
      : ["-shared", "-Wl,-Bsymbolic", "-Wl,--exclude-libs,ALL"];
  const link = [...shared, "-pthread", cppObject, cObject, "-o", join(release, "better_sqlite3.node")];
  return [asC, asCpp, link].every((args) => run(compiler, args) === 0);
}
