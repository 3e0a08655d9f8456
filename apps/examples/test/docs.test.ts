/** What the documentation shows compiles, and where it points to is there. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const application = fileURLToPath(new URL("..", import.meta.url));
const repository = join(application, "../..");
const compiler = join(application, "node_modules", ".bin", "tsc");

/** What a block may use that it does not import: of the packages, and what it leaves to its reader. */
const known = new Map<string, readonly string[]>([
  ...(await Promise.all(
    ["core", "core/testing", "consumer", "memory", "sqlite", "redis", "signed-serializer"].map(exportsOf),
  )),
  ["ioredis", ["Cluster"]],
  ["../../test/programs/reader.js", await exportsOfReader()],
]);

const pages = await markdown();

test("every block of TypeScript in the documentation compiles", { timeout: 120_000 }, async () => {
  const cache = join(application, ".cache");
  await mkdir(cache, { recursive: true });
  const folder = await mkdtemp(join(cache, "docs-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const files: string[] = [];
  for (const page of pages) {
    for (const { line, code } of blocksOf(await readFile(page, "utf8"))) {
      const file = `${relative(repository, page).replaceAll(/[/.]/g, "-")}-${line}.ts`;
      await writeFile(join(folder, file), program(code));
      files.push(file);
    }
  }
  expect(files.length).toBeGreaterThan(20);
  for (const shared of ["tasks.ts", "queue.ts"])
    await copyFile(join(application, "src", shared), join(folder, shared));
  const config = { extends: "../../types/tsconfig.json", files };
  await writeFile(join(folder, "tsconfig.json"), JSON.stringify(config));
  expect(await compile(folder)).toBe("");
});

test("every link in the documentation leads to a file and a heading that are there", async () => {
  const dead: string[] = [];
  for (const page of pages) {
    const text = (await readFile(page, "utf8")).replaceAll(/^```.*?^```$/gms, "");
    for (const [, target = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (!(await leadsSomewhere(page, target))) dead.push(`${relative(repository, page)}: ${target}`);
    }
  }
  expect(dead).toEqual([]);
});

test("every code of an error is told of", async () => {
  const declared = await readFile(join(repository, "packages/core/src/errors.ts"), "utf8");
  const union = /type TaskqErrorCode =(.*?);/s.exec(declared)?.[1] ?? "";
  const page = await readFile(join(repository, "apps/docs/reference/errors.md"), "utf8");
  const [told = ""] = page.split("## Warnings");
  const missing = new Set([...union.matchAll(/"(TASKQ_\w+)"/g)].map(([, code]) => code));
  expect(missing.size).toBeGreaterThan(30);
  const unknown = [...told.matchAll(/^\| `(TASKQ_\w+)`/gm)].filter(([, code]) => !missing.delete(code));
  expect({ missing: [...missing], unknown }).toEqual({ missing: [], unknown: [] });
});

test("every code of a warning is told of", async () => {
  const page = await readFile(join(repository, "apps/docs/reference/errors.md"), "utf8");
  const [, told = ""] = page.split("## Warnings");
  const packages = await readdir(join(repository, "packages"));
  const codes = new Set<string>();
  for (const folder of packages.map((name) => join(repository, "packages", name, "src"))) {
    for (const file of await readdir(folder, { recursive: true })) {
      if (!file.endsWith(".ts")) continue;
      const source = await readFile(join(folder, file), "utf8");
      for (const [, code = ""] of source.matchAll(/emitWarning\([^;]*?code: "(TASKQ_\w+)"/gs))
        codes.add(code);
    }
  }
  expect(codes.size).toBeGreaterThanOrEqual(4);
  expect([...codes].filter((code) => !told.includes(`\`${code}\``))).toEqual([]);
});

/** The pages that users read. */
async function markdown(): Promise<readonly string[]> {
  const packages = await readdir(join(repository, "packages"));
  const folders = ["guide", "recipes", "reference", "decisions"].map((name) => join("apps/docs", name));
  const inFolders = await Promise.all(
    folders.map(async (folder) =>
      (await readdir(join(repository, folder))).map((name) => join(folder, name)),
    ),
  );
  const atTheTop = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "apps/docs/README.md"];
  const ofPackages = packages.map((name) => join("packages", name, "README.md"));
  return [...atTheTop, ...ofPackages, ...inFolders.flat()]
    .map((page) => join(repository, page))
    .filter((page) => page.endsWith(".md") && existsSync(page));
}

function blocksOf(text: string): readonly { readonly line: number; readonly code: string }[] {
  return [...text.matchAll(/^```ts\n(.*?)^```$/gms)].map(({ index, 1: code = "" }) => ({
    line: text.slice(0, index).split("\n").length,
    code: code.replaceAll("…", ""),
  }));
}

async function exportsOf(name: string): Promise<[string, readonly string[]]> {
  return [`@taskq/${name}`, Object.keys((await import(`@taskq/${name}`)) as object)];
}

async function exportsOfReader(): Promise<readonly string[]> {
  const source = await readFile(join(application, "test/programs/reader.ts"), "utf8");
  const names = [...source.matchAll(/^export (?:declare )?(?:const|function) (\w+)/gm)];
  return names.map(([, name = ""]) => name);
}

/** The block with what it leaves out. */
function program(code: string): string {
  const imports = [...known].map(([module, names]) => {
    const used = names.filter((name) => uses(code, name) && !declares(code, name));
    return used.length === 0 ? "" : `import { ${used.join(", ")} } from "${module}";`;
  });
  return [...imports, code, "export {};\n"].join("\n");
}

/** Whether the name stands in it for a value, and not as a member, a field or within a text. */
function uses(code: string, name: string): boolean {
  const bare = code.replaceAll(/"[^"\n]*"/g, '""').replaceAll(/\/\/.*$/gm, "");
  return new RegExp(String.raw`(?<![\w.])${name}(?![\w]|\s*:)`).test(bare);
}

function declares(code: string, name: string): boolean {
  return (
    new RegExp(String.raw`^(?:export )?(?:declare )?(?:const|function) ${name}\b`, "m").test(code) ||
    new RegExp(
      String.raw`^(?:import|const) (?:type )?(?:\*|\{)[^}\n]*\b${name}\b[^}\n]*(?:\}| from)`,
      "m",
    ).test(code)
  );
}

/** What the compiler complains of. */
function compile(project: string): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(compiler, ["--project", project, "--pretty", "false"], (error, stdout, stderr) => {
      if (error !== null && stdout === "")
        reject(new Error(`the compiler failed: ${stderr}`, { cause: error }));
      else resolve(stdout);
    });
  });
}

async function leadsSomewhere(page: string, target: string): Promise<boolean> {
  const [path = "", heading] = target
    .replace(/^https:\/\/github\.com\/taskq\/taskq\/blob\/main\//, `${repository}/`)
    .split("#");
  if (/^https?:/.test(path)) return true;
  const file = path === "" ? page : path.startsWith(repository) ? path : join(dirname(page), path);
  if (!existsSync(file)) return false;
  if (heading === undefined || !file.endsWith(".md")) return true;
  const headings = [...(await readFile(file, "utf8")).matchAll(/^#+ (.*)$/gm)];
  return headings.some(([, text = ""]) => anchorOf(text) === heading);
}

/** As GitHub makes it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");
}
