import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";

const application = fileURLToPath(new URL("..", import.meta.url));
const types = join(application, "types");
const compiler = join(application, "node_modules", ".bin", "tsc");

/** Two runs of the compiler, on a machine that may be busy. */
const PATIENCE = 120_000;

interface Refusal {
  /** Of the line that must be refused; the first is 1. */
  readonly line: number;
  readonly source: string;
  /** What the message must say. */
  readonly words: string;
}

interface Diagnostic {
  readonly file: string;
  /** The first is 1. */
  readonly line: number;
  readonly message: string;
}

test(
  "every usage compiles with the types it must infer, and every refusal is refused",
  { timeout: PATIENCE },
  async () => {
    expect(await compile(join(types, "tsconfig.json"))).toBe("");
  },
);

test("core, memory and consumer ask for no types of Node", { timeout: PATIENCE }, async () => {
  const cache = join(application, ".cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "bare-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const modules = ["core", "core/testing", "memory", "consumer"].map((name) => `import "@taskq/${name}";\n`);
  await writeFile(join(folder, "bare.ts"), modules.join(""));
  // As TypeScript 6 and 7 have it of themselves: no types but those that are asked for, and declarations are checked.
  const compilerOptions = { types: [], lib: ["es2023", "dom"], skipLibCheck: false };
  const config = { extends: "../../types/tsconfig.json", compilerOptions, files: ["bare.ts"] };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  expect(await compile(folder)).toBe("");
});

const source = await readFile(join(types, "refusals.ts"), "utf8");
const refusals = refusalsIn(source);

describe("the compiler says why it refuses", () => {
  let diagnostics: readonly Diagnostic[] = [];
  let folder: string | undefined;

  beforeAll(async () => {
    const cache = join(application, ".cache");
    await mkdir(cache, { recursive: true });
    folder = await mkdtemp(join(cache, "refusals-"));
    // Blank lines instead of the comments, so that the lines keep their numbers.
    await writeFile(join(folder, "refusals.ts"), source.replaceAll(/^ *\/\/ @ts-expect-error.*$/gm, ""));
    // The usages too: they declare the resources that consumers lend, of which one refusal is.
    const files = ["refusals.ts", "../../types/usage.ts"];
    const config = { extends: "../../types/tsconfig.json", files };
    await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
    diagnostics = diagnosticsIn(await compile(join(folder, "tsconfig.json")));
  }, PATIENCE);

  afterAll(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  test("each comment that expects an error says in quotes what its message must say", () => {
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals).toHaveLength(source.match(/^ *\/\/ @ts-expect-error/gm)?.length ?? 0);
  });

  test("no other line is refused", () => {
    const expected = new Set(refusals.map(({ line }) => line));
    expect(diagnostics.filter(({ line, file }) => file !== "refusals.ts" || !expected.has(line))).toEqual([]);
  });

  test.each(refusals)("line $line: $source", ({ line, words }) => {
    const messages = diagnostics
      .filter((diagnostic) => diagnostic.line === line)
      .map(({ message }) => message);
    expect(messages.join("\n")).toContain(words);
  });
});

/** What the compiler prints about a project; nothing if it has nothing to say. */
function compile(project: string): Promise<string> {
  const arguments_ = ["--project", project, "--pretty", "false", "--noErrorTruncation"];
  return new Promise((resolve, reject) => {
    execFile(compiler, arguments_, { maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      // It ends with a code when it refuses; without a word on stdout, it did not run.
      if (error !== null && stdout === "")
        reject(new Error(`the compiler failed: ${stderr}`, { cause: error }));
      else resolve(stdout);
    });
  });
}

function refusalsIn(text: string): readonly Refusal[] {
  const lines = text.split("\n");
  return lines.flatMap((comment, index) => {
    const words = /^ *\/\/ @ts-expect-error "(.+)"$/.exec(comment)?.[1];
    return words === undefined ? [] : [{ line: index + 2, source: lines[index + 1]?.trim() ?? "", words }];
  });
}

/** `file(line,column): error TS…: message`; what is indented continues the message before. */
function diagnosticsIn(output: string): readonly Diagnostic[] {
  return output
    .split(/\n(?! )/)
    .filter((text) => text !== "")
    .map((text) => {
      const [, path = "", line = "0", message = text] =
        /^(.+?)\((\d+),\d+\): error TS\d+: (.*)$/s.exec(text) ?? [];
      return { file: path.split("/").at(-1) ?? "", line: Number(line), message };
    });
}
