import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

/** How a program ended, and what it wrote. */
export interface Ended {
  readonly code: number;
  readonly output: string;
  readonly errors: string;
}

/** Runs a compiled program of this folder to its end. One that does not end by itself is killed, and has the code -1. */
export function runProgram(name: string, options: { readonly cwd?: string } = {}): Promise<Ended> {
  const program = fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
  return new Promise((resolve) => {
    execFile(process.execPath, [program], { timeout: 30_000, ...options }, (error, output, errors) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output, errors });
    });
  });
}
