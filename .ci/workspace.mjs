// The packages of this repository, read from their folders.
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Every package below `packages/` and `apps/`: its folder (`packages/core`), name and manifest. */
export function workspacePackages(root) {
  const found = [];
  for (const parent of ["packages", "apps"]) {
    for (const name of readdirSync(join(root, parent)).toSorted()) {
      const manifestFile = join(root, parent, name, "package.json");
      if (!existsSync(manifestFile)) continue;
      const manifest = JSON.parse(readFileSync(manifestFile, "utf8"));
      found.push({ folder: `${parent}/${name}`, name: manifest.name, manifest });
    }
  }
  return found;
}

/** The files below a folder that end in `.ts`, as paths with `/`, relative to `root`; none if the folder is missing. */
export function typescriptFiles(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?ts$/.test(entry.name))
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(root.length + 1)
        .replaceAll("\\", "/"),
    )
    .filter((path) => !path.includes("/node_modules/"))
    .toSorted();
}

/** Source text without its comments; strings stay. Lines keep their numbers. */
export function withoutComments(source) {
  const token =
    /("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`)|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return source.replace(token, (match, string) => string ?? match.replace(/[^\n]/g, " "));
}
