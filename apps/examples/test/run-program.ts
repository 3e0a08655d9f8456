import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** How a program ended, and what it wrote. */
export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** The folder that has it. @default where those of this folder are compiled to */
  readonly programs?: string;
}

const COMPILED = fileURLToPath(new URL("../dist", import.meta.url));

/** Runs a compiled program to its end. One that does not end by itself is killed, and has the code -1. */
export function runProgram(name: string, options: ProgramOptions = {}): Promise<Ended> {
  const { programs = COMPILED, ...rest } = options;
  const program = join(programs, `${name}.js`);
  return new Promise((resolve) => {
    execFile(process.execPath, [program], { timeout: 30_000, ...rest }, (error, output, errors) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output, errors });
    });
  });
}
