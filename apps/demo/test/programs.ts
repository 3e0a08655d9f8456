import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** How a program ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs a built program of the demo to its end, with this on its standard input: on a file, or a server. */
export async function runProgram(
  name: string,
  args: readonly string[],
  { input = "", redisUrl = "" }: { readonly input?: string; readonly redisUrl?: string } = {},
): Promise<Ended> {
  const program = fileURLToPath(new URL(`../dist/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [program, ...args], {
    stdio: "pipe",
    env: { ...process.env, TASKQ_REDIS_URL: redisUrl },
  });
  let [output, errors] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  child.stdin.end(input);
  await once(child, "close");
  return { code: child.exitCode, output, errors };
}
