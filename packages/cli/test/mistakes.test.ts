import { cp, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { refusalOfNode } from "../src/node-version.js";
import { COMMON_JS, ES_MODULE, NO_TYPE, SHOP } from "./modules.js";
import { Project } from "./taskq.js";

/** Runs it to its end; answers its exit code and what it complained of. */
async function mistake(files: Readonly<Record<string, string>>, args: readonly string[]) {
  await using project = await Project.with(files);
  await using command = project.taskq(args);
  const code = await command.ended();
  return { code, errors: command.errors, output: command.output, folder: project.folder };
}

test("a module that is not there is named, with one that was probably meant", async () => {
  const { code, errors, folder } = await mistake({ "queue.ts": "" }, ["run", "./queue.js"]);
  expect(code).toBe(1);
  expect(errors).toBe(`taskq: no module at ${folder}/queue.js; did you mean queue.ts?\n`);
});

test("an empty path, as of a variable that is not set, is a mistake", async () => {
  const { code, errors } = await mistake({ "queue.js": SHOP }, ["run", ""]);
  expect(code).toBe(2);
  expect(errors).toBe("taskq: expected the path of a module, got ''\n");
});

test("a folder is no module", async () => {
  const { code, errors } = await mistake({ "src/queue.js": SHOP }, ["run", "src/"]);
  expect(code).toBe(1);
  expect(errors).toContain("src is a folder; name the module in it, such as src/queue.js");
});

test("a module that exports no queue is told what it exports", async () => {
  const module = `
    import { task } from "@taskq/core";
    export const add = task("add", async () => 1);
    export function make() {}
    export const limit = 5;
    export const later = Promise.resolve();`;
  const { code, errors } = await mistake({ "queue.mjs": module }, ["run", "queue.mjs"]);
  expect(code).toBe(1);
  expect(errors).toContain("queue.mjs exports no queue; it exports add (a task), ");
  expect(errors).toContain("make (a function)");
  expect(errors).toContain("limit (number)");
  expect(errors).toContain("later (a promise: await it)");
  expect(errors).toContain("(TASKQ_NO_QUEUE)");
});

test("the default export that CommonJS adds is not listed as an export", async () => {
  const module = `exports.limit = 5; exports.name = "x";`;
  const { code, errors } = await mistake({ "queue.cjs": module }, ["run", "queue.cjs"]);
  expect(code).toBe(1);
  expect(errors).toContain("queue.cjs exports no queue; it exports limit (number) and name (string).");
});

test("an empty module exports nothing", async () => {
  const { errors } = await mistake({ "queue.ts": "export {};" }, ["run", "queue.ts"]);
  expect(errors).toContain("queue.ts exports no queue; it exports nothing.");
});

test.each([
  { module: "queue.mjs", manifest: ES_MODULE },
  { module: "queue.js", manifest: NO_TYPE },
  { module: "queue.ts", manifest: ES_MODULE },
  { module: "queue.ts", manifest: NO_TYPE },
  { module: "queue.ts", manifest: COMMON_JS },
])("a syntax error in $module is shown with its place", async ({ module, manifest }) => {
  const text = `import { task } from "@taskq/core";\nexport const one = 1;\nexport const = 2;\n`;
  const { code, errors } = await mistake({ "package.json": manifest, [module]: text }, ["run", module]);
  expect(code).toBe(1);
  expect(errors).toContain(`${module} could not be loaded:`);
  expect(errors).toMatch(new RegExp(`${module.replace(".", "\\.")}:3`));
  expect(errors).not.toContain("namespace=");
});

test("an error while the module is loaded is shown with its place", async () => {
  const module = `const settings: { url?: { host: string } } = {};\nexport const host = settings.url!.host;\n`;
  const { code, errors } = await mistake({ "package.json": ES_MODULE, "queue.ts": module }, [
    "run",
    "queue.ts",
  ]);
  expect(code).toBe(1);
  expect(errors).toContain("Cannot read properties of undefined (reading 'host')");
  expect(errors).toMatch(/queue\.ts:2/);
});

test("a missing import of the module is named", async () => {
  const module = `import { add } from "./tasks.js";\nexport { add };\n`;
  const { code, errors } = await mistake({ "package.json": ES_MODULE, "queue.ts": module }, [
    "run",
    "queue.ts",
  ]);
  expect(code).toBe(1);
  expect(errors).toContain("tasks.js");
});

test.each([
  { tsconfig: '{ "compilerOptions": { "paths": ', says: /tsconfig\.json could not be read: .*JSON/ },
  { tsconfig: "strict", says: /tsconfig\.json could not be read: .*JSON/ },
  {
    tsconfig: '{ "extends": "./base.json" }',
    says: /tsconfig\.json could not be followed: File '\.\/base\.json' not found/,
  },
])("the tsconfig $tsconfig of a module is told of", async ({ tsconfig, says }) => {
  const files = { "jobs/tsconfig.json": tsconfig, "jobs/queue.ts": "export {};" };
  const { code, errors } = await mistake(files, ["run", "jobs/queue.ts"]);
  expect(code).toBe(1);
  expect(errors).toMatch(says);
});

test.each(["", "\uFEFF{}", `{ // "\n/* " */ "include": ["src//**",], }`])(
  "a tsconfig may be %j, as TypeScript takes it",
  async (tsconfig) => {
    const { errors } = await mistake({ "tsconfig.json": tsconfig, "queue.ts": "export {};" }, [
      "run",
      "queue.ts",
    ]);
    expect(errors).toContain("queue.ts exports no queue; it exports nothing.");
  },
);

test("two modules are each loaded by their own tsconfig", async () => {
  const module = `import { path } from "#parts/unit";
    import { createQueue } from "@taskq/core";
    import { sqliteStorage } from "@taskq/sqlite";
    export const queue = createQueue({ storage: sqliteStorage({ path }), tasks: {} });`;
  const files = Object.fromEntries(
    ["one", "two"].flatMap((folder) => [
      [
        `${folder}/tsconfig.json`,
        JSON.stringify({ compilerOptions: { paths: { "#parts/*": ["./src/*"] } } }),
      ],
      [`${folder}/src/unit.ts`, `export const path: string = "${folder}.db";`],
      [`${folder}/queue.ts`, module],
    ]),
  );
  const { code, errors, output } = await mistake(files, ["move", "one/queue.ts", "two/queue.ts"]);
  expect(errors).toBe("");
  expect(code).toBe(0);
  expect(output).toContain("two.db");
});

test("a .cts file that Node does not take is told what to be named", async () => {
  const module = `export const one: number = 1;\n`;
  const { code, errors } = await mistake({ "queue.cts": module }, ["run", "queue.cts"]);
  expect(code).toBe(1);
  expect(errors).toContain("queue.cts could not be loaded:");
  expect(errors).toMatch(/name it \.mts or \.ts\n$/);
});

test("a module that waits for ever while it is loaded is told of", async () => {
  const module = `await new Promise(() => {});\nexport const one = 1;\n`;
  const { code, errors } = await mistake({ "queue.mjs": module }, ["run", "queue.mjs"]);
  expect(code).toBe(1);
  expect(errors).toBe(
    "taskq: queue.mjs could not be loaded:\na top-level await in it, or in what it imports, never settles\n",
  );
});

test.each([
  { thrown: `{ status: 503 }`, says: "{ status: 503 }" },
  { thrown: `"no such host"`, says: "no such host" },
  { thrown: `undefined`, says: "undefined" },
])("$thrown that a module throws is shown", async ({ thrown, says }) => {
  const { code, errors } = await mistake({ "queue.mjs": `throw ${thrown};` }, ["run", "queue.mjs"]);
  expect(code).toBe(1);
  expect(errors).toBe(`taskq: queue.mjs could not be loaded:\n${says}\n`);
});

test("what our packages refuse of a module is shown with its place in the module, and none in ours", async () => {
  const module = `import { createQueue } from "@taskq/core";
    import { sqliteStorage } from "@taskq/sqlite";
    const storage = sqliteStorage({ path: "jobs.db" });
    export const queue = createQueue({ storage, tasks: {}, nmae: "shop" } as never);`;
  for (const name of ["queue.ts", "queue.mjs"]) {
    const text = name.endsWith(".mjs") ? module.replace(" as never", "") : module;
    const { code, errors, folder } = await mistake({ [name]: text }, ["run", name]);
    expect(code).toBe(1);
    expect(errors).toContain("TaskqError: createQueue: unknown option 'nmae'");
    const frames = errors.split("\n").filter((line) => /^\s+at /.test(line));
    expect(frames).toHaveLength(1);
    expect(frames[0]).toContain(`${folder}/${name}:4`);
  }
});

test("a module that ends the process while it is loaded is told of, and is no success", async () => {
  const ended = "taskq: the module, or what it imports, ended this process with code";
  const zero = await mistake({ "queue.mjs": "process.exit(0);" }, ["run", "queue.mjs"]);
  expect([zero.code, zero.errors]).toEqual([1, `${ended} 0 while it was loaded\n`]);
  const seven = await mistake({ "queue.mjs": "process.exit(7);" }, ["run", "queue.mjs"]);
  expect([seven.code, seven.errors]).toEqual([7, `${ended} 7 while it was loaded\n`]);
});

test("of a module that is given as text, no frame repeats the text", async () => {
  const module = `const url = "data:text/javascript,throw new Error('no module of that kind')";
    await import(url);`;
  const { errors } = await mistake({ "queue.mjs": module }, ["run", "queue.mjs"]);
  expect(errors).toContain("Error: no module of that kind");
  expect(errors).not.toContain("data:");
});

test("a Node that is too old is named, with the oldest that will do", async () => {
  const { engines } = createRequire(import.meta.url)("../package.json") as { engines: { node: string } };
  expect(engines.node).toBe(">=20.19.0");
  expect(["20.19.0", "20.20.2", "22.0.0", "100.0.0"].map(refusalOfNode)).toEqual(Array(4).fill(undefined));
  expect(["20.18.9", "18.20.8"].map(refusalOfNode)).toEqual([
    "needs Node 20.19 or later, got 20.18.9",
    "needs Node 20.19 or later, got 18.20.8",
  ]);
});

test("the command refuses a Node that is too old", async () => {
  await using project = await Project.with({});
  const older = `Object.defineProperty(process.versions, "node", { value: "18.20.8" });`;
  const imported = `--import=data:text/javascript,${encodeURIComponent(older)}`;
  await using command = project.taskq(["--help"], { NODE_OPTIONS: imported });
  expect(await command.ended()).toBe(1);
  expect(command.errors).toBe("taskq: needs Node 20.19 or later, got 18.20.8\n");
});

test("the command says so where @taskq/core is not beside it", async () => {
  await using project = await Project.with({});
  const hook = `export const resolve = (name, context, next) => {
    if (name === "@taskq/core") throw new Error("Cannot find package '@taskq/core' imported from here");
    return next(name, context);
  };`;
  const script = `import { register } from "node:module"; register(${JSON.stringify(dataUrl(hook))});`;
  await using command = project.taskq(["--help"], { NODE_OPTIONS: `--import=${dataUrl(script)}` });
  expect(await command.ended()).toBe(1);
  expect(command.errors).toBe(
    "taskq: needs @taskq/core beside @taskq/cli, which is not there: npm install @taskq/core\n",
  );
});

test("an immediate queue needs no consumer", async () => {
  const module = `
    import { createQueue } from "@taskq/core";
    import { memoryStorage } from "@taskq/memory";
    export const queue = createQueue({ storage: memoryStorage(), tasks: {}, immediate: true });`;
  const { code, errors } = await mistake({ "queue.mjs": module }, ["run", "queue.mjs"]);
  expect(code).toBe(1);
  expect(errors).toContain("(TASKQ_IMMEDIATE)");
  expect(errors).not.toMatch(/^\s+at /m);
});

test("a task that no consumer takes is told of, and nothing is said to run", async () => {
  const module = `
    import { createQueue, task } from "@taskq/core";
    import { memoryStorage } from "@taskq/memory";
    const tasks = [task("apart", { isolate: "thread" }, async () => {})];
    export const queue = createQueue({ storage: memoryStorage(), tasks });`;
  await using project = await Project.with({ "queue.mjs": module });
  await using command = project.taskq(["run", "queue.mjs"]);
  expect(await command.ended()).toBe(1);
  expect(command.errors).toContain("(TASKQ_NOT_YET)");
  expect(command.output).not.toContain("running;");
});

test("a database that cannot be used is told of, without a stack", async () => {
  const module = `
    import { createQueue } from "@taskq/core";
    import { sqliteStorage } from "@taskq/sqlite";
    export const queue = createQueue({ storage: sqliteStorage({ path: "notes.txt" }), tasks: {} });`;
  const files = {
    "queue.mjs": module,
    "notes.txt": "no database, but a text that is long enough\n".repeat(50),
  };
  const { code, errors, output } = await mistake(files, ["run", "queue.mjs"]);
  expect(code).toBe(1);
  expect(errors).toContain("notes.txt");
  expect(errors).toMatch(/\(TASKQ_\w+\)/);
  expect(errors).not.toMatch(/^\s+at /m);
  expect(output).toBe("");
});

test("a queue made by another copy of core is told from no queue", async () => {
  const core = fileURLToPath(new URL("../../core", import.meta.url));
  const module = `
    import { createQueue } from "./copy/dist/index.js";
    import { memoryStorage } from "@taskq/memory";
    export const queue = createQueue({ storage: memoryStorage(), tasks: {} });`;
  await using project = await Project.with({ "queue.mjs": module });
  await cp(`${core}/dist`, project.path("copy/dist"), { recursive: true });
  await cp(`${core}/package.json`, project.path("copy/package.json"));
  await symlink(`${core}/node_modules`, project.path("copy/node_modules"));
  await using command = project.taskq(["run", "queue.mjs"]);
  expect(await command.ended()).toBe(1);
  expect(command.errors).toContain("was made by another copy of @taskq/core");
});

test.each([
  { args: ["run"], says: "missing required argument 'module'" },
  { args: ["run", "queue.mjs", "--workers", "many"], says: "Expected a whole number from 1 to 10000." },
  { args: ["run", "queue.mjs", "--workers", "10001"], says: "Expected a whole number from 1 to 10000." },
  { args: ["run", "queue.mjs", "--workers", "0"], says: "Expected a whole number from 1 to 10000." },
  { args: ["run", "queue.mjs", "--lease", "10 minutes"], says: "Expected a duration such as 30s" },
  { args: ["run", "queue.mjs", "--lease", "0"], says: "Expected a duration of at least 100ms." },
  { args: ["run", "queue.mjs", "--lease", "99ms"], says: "Expected a duration of at least 100ms." },
  { args: ["run", "queue.mjs", "--grace", "-1"], says: "Expected a duration such as 30s" },
  { args: ["run", "queue.mjs", "--prefetch", "some"], says: "Expected a whole number from 0 to 10000." },
  { args: ["run", "queue.mjs", "-q", "-v"], says: "cannot be used with option" },
  { args: ["run", "queue.mjs", "--worker", "4"], says: "unknown option '--worker'" },
  { args: ["walk"], says: "unknown command 'walk'" },
  { args: ["run", "queue.mjs", "other.mjs"], says: "too many arguments" },
])("taskq $args is a mistake in its use", async ({ args, says }) => {
  const { code, errors, output } = await mistake({ "queue.mjs": "" }, args);
  expect(code).toBe(2);
  expect(errors).toContain(says);
  expect(output).toBe("");
});

test("without a command, it prints its help, as a mistake", async () => {
  const { code, errors } = await mistake({}, []);
  expect(code).toBe(2);
  expect(errors).toContain("Usage: taskq");
});

test.each([
  { args: ["--version"], says: /^\d+\.\d+\.\d+\n$/ },
  { args: ["--help"], says: /Usage: taskq/ },
  { args: ["run", "--help"], says: /Usage: taskq run \[options\] <module>/ },
])("taskq $args answers, and is no mistake", async ({ args, says }) => {
  const { code, errors, output } = await mistake({}, args);
  expect(code).toBe(0);
  expect(output).toMatch(says);
  expect(errors).toBe("");
});

function dataUrl(module: string): string {
  return `data:text/javascript,${encodeURIComponent(module)}`;
}
