// Import direction: what each package may import of ours, that it declares what it imports, that the files of core
// stand on levels (no circle, types included), and that nothing unexpected lies at the top level.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join, posix, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { typescriptFiles, withoutComments, workspacePackages } from "./workspace.mjs";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const problems = [];

/** What the sources of a package may import of ours: the table of `CONTRIBUTING.md`. */
const directions = {
  core: [],
  memory: ["core"],
  sqlite: ["core"],
  redis: ["core"],
  consumer: ["core"],
  "signed-serializer": ["core"],
  conformance: ["core"],
  dashboard: ["core"],
  cli: ["core", "consumer"],
};

const topLevel = new Set(
  `packages apps .changeset .ci
  package.json pnpm-workspace.yaml pnpm-lock.yaml turbo.json tsconfig.base.json
  README.md LICENSE CONTRIBUTING.md SECURITY.md
  .gitignore .gitattributes .npmrc .oxlintrc.json .oxfmtrc.json knip.json vitest.config.ts vitest.shared.ts`.split(
    /\s+/,
  ),
);

/** Every module a source names: import, export … from, import(), import types. */
function specifiers(source) {
  const text = withoutComments(source);
  const found = [];
  const statement = /^[ \t]*(?:import|export)\b(?:[^;"'`=]*?\bfrom)?\s*["']([^"'\n]+)["']/gm;
  const call = /\b(?:import|require)\(\s*["']([^"'\n]+)["']/g;
  for (const pattern of [statement, call]) for (const match of text.matchAll(pattern)) found.push(match[1]);
  return [...new Set(found)];
}

const packageOf = (specifier) => specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");

function checkFile(unit, file, kind, privateNames) {
  const { folder, name, manifest } = unit;
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
  };
  const short = folder.slice("packages/".length);
  for (const specifier of specifiers(readFileSync(join(root, file), "utf8"))) {
    const complain = (why) => problems.push(`${file}: imports "${specifier}": ${why}`);
    if (specifier.startsWith(".")) {
      const target = posix.join(posix.dirname(file), specifier);
      const home = kind === "src" ? `${folder}/src/` : `${folder}/`;
      if (!target.startsWith(home)) complain(`leaves ${home}; import a package by its name`);
      continue;
    }
    if (isBuiltin(specifier)) {
      if (!specifier.startsWith("node:")) complain("write node: before a built-in module");
      continue;
    }
    const wanted = packageOf(specifier);
    if (privateNames.has(wanted) && wanted !== name) complain("no package imports an app");
    if (wanted === name) {
      if (kind === "src") complain("a package does not import itself by name");
    } else if (kind === "src") {
      if (wanted.startsWith("@taskq/") && !directions[short].includes(wanted.slice("@taskq/".length))) {
        complain(`${short} may import ${directions[short].join(", ") || "none"} of ours`);
      } else if (declared[wanted] === undefined) {
        const developed = manifest.devDependencies?.[wanted] !== undefined;
        complain(
          developed ? "a devDependency, which users do not get" : `not declared in ${folder}/package.json`,
        );
      }
    } else if (declared[wanted] === undefined && manifest.devDependencies?.[wanted] === undefined) {
      complain(`not declared in ${folder}/package.json`);
    }
  }
}

function checkDirection(units) {
  const privateNames = new Set(units.filter(({ manifest }) => manifest.private).map(({ name }) => name));
  for (const unit of units) {
    if (!unit.folder.startsWith("packages/")) continue;
    const short = unit.folder.slice("packages/".length);
    if (directions[short] === undefined) {
      problems.push(`${unit.folder}: unknown package; give it a line in .ci/check-imports.mjs`);
      continue;
    }
    for (const kind of ["src", "test"]) {
      for (const file of typescriptFiles(root, `${unit.folder}/${kind}`)) {
        checkFile(unit, file, kind, privateNames);
      }
    }
    const given = { ...unit.manifest.dependencies, ...unit.manifest.peerDependencies };
    if (given["@taskq/conformance"] !== undefined) {
      problems.push(`${unit.folder}/package.json: @taskq/conformance is only ever a devDependency`);
    }
    if (short !== "core" && unit.manifest.peerDependencies?.["@taskq/core"] === undefined) {
      problems.push(`${unit.folder}/package.json: @taskq/core is a peer dependency of every other package`);
    }
  }
}

/** The source files of core and, for each, those it imports; type-only imports count. */
function coreGraph() {
  const files = typescriptFiles(root, "packages/core/src");
  const known = new Set(files);
  const graph = new Map();
  for (const file of files) {
    const targets = [];
    for (const specifier of specifiers(readFileSync(join(root, file), "utf8"))) {
      if (!specifier.startsWith(".")) continue;
      const target = posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts");
      if (known.has(target)) targets.push(target);
      else problems.push(`${file}: imports "${specifier}": there is no ${target}`);
    }
    graph.set(file, targets);
  }
  return graph;
}

/** Reports one circle for each import that closes one. */
function checkLevels(graph) {
  const finished = new Set();
  const path = [];
  const visit = (file) => {
    if (finished.has(file)) return;
    const start = path.indexOf(file);
    if (start >= 0) {
      const names = [...path.slice(start), file].map((each) => each.replace("packages/core/src/", ""));
      problems.push(`packages/core/src: files import in a circle: ${names.join(" → ")}`);
      return;
    }
    path.push(file);
    for (const target of graph.get(file)) visit(target);
    path.pop();
    finished.add(file);
  };
  for (const file of graph.keys()) visit(file);
}

function checkTopLevel() {
  const listed = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 2 ** 26,
  });
  const names = new Set(
    listed
      .split("\0")
      .filter((path) => path !== "" && existsSync(join(root, path)))
      .map((path) => path.split("/")[0]),
  );
  for (const name of names) {
    if (!topLevel.has(name))
      problems.push(`${name}: nothing but what CONTRIBUTING.md names lies at the top level`);
  }
}

const units = workspacePackages(root);
checkDirection(units);
const graph = coreGraph();
checkLevels(graph);
checkTopLevel();
for (const problem of problems) console.error(problem);
console.log(
  `import direction: ${units.length} packages, ${graph.size} files in core, ${problems.length} problem(s)`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
