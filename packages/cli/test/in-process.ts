import { mkdir, readFile, writeFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { vi } from "vitest";
import { main } from "../src/main.js";
import type { Project } from "./taskq.js";

/** `sqlite:jobs.db`, `queue.mjs`: what may have a file of the project in it. */
const FILE = /^(sqlite:)?((?:[\w-]+\/)*\w+\.(?:db|ndjson))$/;
const MODULE = /^\w+\.mjs$/;
let calls = 0;

/** Runs the command in this process, for what ends at once; files of the project are named, and told, without its folder. */
export async function mistakeOf(
  project: Project,
  args: readonly string[],
): Promise<{ readonly code: number; readonly errors: string }> {
  let errors = "";
  const own = `call-${(calls += 1)}`;
  const given = await Promise.all(args.map((arg) => inProject(project, own, arg)));
  const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    errors += String(text);
    return true;
  });
  const quiet = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    const code = await main(given);
    return { code, errors: errors.replaceAll(`${project.folder}/`, "").replaceAll(`${own}/`, "") };
  } finally {
    write.mockRestore();
    quiet.mockRestore();
  }
}

/** A module that was loaded before is another one each time, as in another process. */
async function inProject(project: Project, own: string, arg: string): Promise<string> {
  if (!MODULE.test(arg)) {
    return arg.replace(FILE, (_, scheme = "", file) => `${scheme}${project.path(file)}`);
  }
  const text = await readFile(project.path(arg), "utf8");
  const here = JSON.stringify(pathToFileURL(project.path(arg)).href);
  await mkdir(project.path(own), { recursive: true });
  await writeFile(project.path(`${own}/${arg}`), text.replaceAll("import.meta.url", here));
  return project.path(`${own}/${arg}`);
}
