import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number;
  /** What it printed, then what it said while it went on. */
  readonly output: string;
}

/** Runs one of the built programs to its end, as `pnpm bench` and the others do. */
export function runProgram(name: string, parameters: readonly string[]): Promise<Ended> {
  const program = fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...parameters], (error, stdout, stderr) => {
      const code = typeof error?.code === "number" ? error.code : error === null ? 0 : -1;
      resolve({ code, output: `${stdout}${stderr}` });
    });
  });
}

/** The number that a table of facts gives for a name. */
export function fact(output: string, name: string): number {
  const line = output.split("\n").find((each) => each.trimStart().startsWith(name));
  return Number.parseFloat(line?.trim().slice(name.length).trim() ?? "");
}
