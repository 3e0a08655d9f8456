import { existsSync, statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { placeOfSyntaxError } from "./syntax-error.js";
import { loadTypeScript } from "./typescript.js";
import { UserError } from "./user-error.js";

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>;

/**
 * Loads the module at a path, relative to the working directory, TypeScript too.
 *
 * @throws {UserError}
 */
export async function loadModule(path: string): Promise<Exports> {
  const file = resolve(path);
  if (!existsSync(file)) throw new UserError(`no module at ${file}${suggestion(file)}`);
  if (statSync(file).isDirectory()) {
    throw new UserError(
      `${file} is a folder; name the module in it, such as ${path.replace(/\/$/, "")}/queue.js`,
    );
  }
  if (/\.(?:m?ts|tsx)$/.test(file)) await loadTypeScript();
  const { href } = pathToFileURL(file);
  try {
    const exports: Exports = await import(href);
    return exports;
  } catch (error) {
    const told = placeOfSyntaxError(error, href) ?? trouble(error);
    throw new UserError(`${shortest(file)} could not be loaded:\n${told}`, { cause: error });
  }
}

const EXTENSIONS = [".ts", ".tsx", ".mts", ".js", ".mjs", ".cjs"];

/** People leave the extension out, or name the file that a build makes of theirs. */
function suggestion(file: string): string {
  const bare = file.replace(/\.(?:[cm]?[jt]s|tsx)$/, "");
  const found = EXTENSIONS.map((extension) => bare + extension).find((candidate) => existsSync(candidate));
  return found === undefined ? "" : `; did you mean ${shortest(found)}?`;
}

/** Where it went wrong, without the frames that are not the user's. */
function trouble(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.name === "TransformError" ? error.message : (error.stack ?? error.message);
  return text
    .replaceAll(/\?namespace=\d+|\?tsx-namespace=[\w-]+/g, "")
    .split("\n")
    .filter(
      (line) =>
        !/^\s+at .*(?:node:internal|data:text|[/\\](?:tsx|cli)[/\\]dist[/\\]|[/\\]commander[/\\])/.test(line),
    )
    .join("\n");
}

function shortest(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith("..") ? file : near;
}
