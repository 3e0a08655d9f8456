import { spawnSync } from "node:child_process";

/** How long another Node may take to fail in the same way. */
const PATIENCE = 10_000;

/**
 * The file, line and text at which an ES module does not parse, as Node prints them; `undefined` for other errors.
 *
 * Node keeps the place for itself and prints it only when nobody catches the error, so another Node is asked. It
 * fails before it runs anything: modules are parsed first.
 */
export function placeOfSyntaxError(error: unknown, url: string): string | undefined {
  if (!(error instanceof SyntaxError) || error.stack?.includes("compileSourceTextModule") !== true)
    return undefined;
  const script = ["--no-warnings", "-e", "import(process.argv[1])", url];
  const { stderr } = spawnSync(process.execPath, script, { encoding: "utf8", timeout: PATIENCE });
  const place = stderr.split(/\n\n/)[0] ?? "";
  return place.includes(":") ? `${place}\n${error.name}: ${error.message}` : undefined;
}
