import { vi } from "vitest";
import { main } from "../src/main.js";
import type { Project } from "./taskq.js";

/** `sqlite:jobs.db`, `queue.mjs`: what may have a file of the project in it. */
const FILE = /^(sqlite:)?((?:[\w-]+\/)*\w+\.(?:mjs|db|ndjson))$/;

/** Runs the command in this process, for what ends at once; files of the project are named, and told, without its folder. */
export async function mistakeOf(
  project: Project,
  args: readonly string[],
): Promise<{ readonly code: number; readonly errors: string }> {
  let errors = "";
  const write = vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    errors += String(text);
    return true;
  });
  const quiet = vi.spyOn(process.stdout, "write").mockImplementation(() => true);
  try {
    const code = await main(
      args.map((arg) => arg.replace(FILE, (_, scheme = "", file) => `${scheme}${project.path(file)}`)),
    );
    return { code, errors: errors.replaceAll(`${project.folder}/`, "") };
  } finally {
    write.mockRestore();
    quiet.mockRestore();
  }
}
