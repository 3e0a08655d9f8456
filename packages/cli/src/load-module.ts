import { existsSync, statSync } from "node:fs";
import { dirname, relative, resolve, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { TaskqError } from "@taskq/core";
import { exitCode } from "./exit-code.js";
import { resolvedFrom } from "./resolved-from.js";
import { placeOfSyntaxError } from "./syntax-error.js";
import { loadTypeScript } from "./typescript.js";
import { thrownText, UserError } from "./user-error.js";

/** What a module exports, by name. */
export type Exports = Readonly<Record<string, unknown>>;

/**
 * Loads the module at a path, relative to the working directory, TypeScript too.
 *
 * @throws {UserError}
 */
export async function loadModule(path: string): Promise<Exports> {
  if (path === "") throw new UserError("expected the path of a module, got ''", { code: exitCode.usage });
  const file = resolve(path);
  if (!existsSync(file)) throw new UserError(`no module at ${file}${suggestion(file)}`);
  if (statSync(file).isDirectory()) {
    throw new UserError(
      `${file} is a folder; name the module in it, such as ${path.replace(/\/$/, "")}/queue.js`,
    );
  }
  if (/\.(?:m?ts|tsx)$/.test(file)) await loadTypeScript(file);
  const { href } = pathToFileURL(file);
  try {
    return await imported(href);
  } catch (error) {
    const told = placeOfSyntaxError(error, href) ?? trouble(error, file);
    const advice = file.endsWith(".cts") ? "\n.cts is left to Node; name it .mts or .ts" : "";
    throw new UserError(`${shortest(file)} could not be loaded:\n${told}${advice}`, { cause: error });
  }
}

/** Once nothing is left to wait for, Node would end without a word: no module comes any more. */
function imported(url: string): Promise<Exports> {
  return new Promise((answer, reject) => {
    const forget = (): void => {
      process.off("beforeExit", giveUp);
      process.off("exit", tellOfEnd);
    };
    const giveUp = (): void => {
      forget();
      reject(new UserError("a top-level await in it, or in what it imports, never settles"));
    };
    process.once("beforeExit", giveUp);
    process.once("exit", tellOfEnd);
    void import(url).then(answer, reject).finally(forget);
  });
}

/** Whoever looks after the process would take a 0 for a stop that was asked for. */
function tellOfEnd(code: number): void {
  process.stderr.write(
    `taskq: the module, or what it imports, ended this process with code ${code} while it was loaded\n`,
  );
  if (code === exitCode.ok) process.exitCode = exitCode.failure;
}

const EXTENSIONS = [".ts", ".tsx", ".mts", ".js", ".mjs", ".cjs"];

/** People leave the extension out, or name the file that a build makes of theirs. */
function suggestion(file: string): string {
  const bare = file.replace(/\.(?:[cm]?[jt]s|tsx)$/, "");
  const found = EXTENSIONS.map((extension) => bare + extension).find((candidate) => existsSync(candidate));
  return found === undefined ? "" : `; did you mean ${shortest(found)}?`;
}

/** Where it went wrong, without the frames that are not the user's. */
function trouble(error: unknown, module: string): string {
  const ours = error instanceof TaskqError ? foldersOfOurs(module) : [];
  const isEnough = error instanceof UserError || (error instanceof Error && error.name === "TransformError");
  return (isEnough ? error.message : thrownText(error))
    .replaceAll(/\?namespace=\d+|\?tsx-namespace=[\w-]+/g, "")
    .split("\n")
    .filter(
      (line) =>
        !/^\s+at .*(?:node:internal|data:text|[/\\](?:tsx|cli)[/\\]dist[/\\]|[/\\]commander[/\\])/.test(
          line,
        ) && !ours.some((folder) => line.includes(folder)),
    )
    .join("\n");
}

const OURS = ["core", "consumer", "memory", "redis", "signed-serializer", "sqlite"];

/** What we refuse is told by its message: where in our files we did is of no use to a user. As in frames: paths and URLs. */
function foldersOfOurs(module: string): readonly string[] {
  const entries = OURS.flatMap((name) => resolvedFrom(`@taskq/${name}`, module) ?? []);
  return entries.flatMap((entry) => [dirname(entry) + sep, `${pathToFileURL(dirname(entry)).href}/`]);
}

function shortest(file: string): string {
  const near = relative(process.cwd(), file);
  return near.startsWith("..") ? file : near;
}
