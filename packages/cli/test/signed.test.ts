/** Queues that sign what they keep: it is signed where it goes, and what could not be verified there is refused. */
import { createQueue, task } from "@taskq/core";
import { signedSerializer } from "@taskq/signed-serializer";
import { sqliteStorage } from "@taskq/sqlite";
import { expect, test } from "vitest";
import { mistakeOf } from "./in-process.js";
import { Project } from "./taskq.js";

const SECRET = "a secret of thirty-two characters";
const PATIENCE = 60_000;
const add = task("add", async (n: number) => n + 1);

function moduleOn(file: string, serializer: string, prefix = "taskq_"): string {
  return `
import { createQueue } from "@taskq/core";
import { signedSerializer } from "@taskq/signed-serializer";
import { sqliteStorage } from "@taskq/sqlite";
const path = new URL(${JSON.stringify(file)}, import.meta.url).pathname;
const storage = sqliteStorage({ path, tablePrefix: ${JSON.stringify(prefix)} });
export const queue = createQueue({ name: "shop", storage, tasks: {}, ${serializer} });`;
}

const SIGNED = `serializer: signedSerializer({ secret: ${JSON.stringify(SECRET)} })`;

function openSigned(project: Project, file: string) {
  const storage = sqliteStorage({ path: project.path(file) });
  return createQueue({
    name: "shop",
    storage,
    tasks: { add },
    serializer: signedSerializer({ secret: SECRET }),
  });
}

test(
  "a queue that signs is moved by an address, dumped and loaded, and only where its signatures can be read",
  async () => {
    await using project = await Project.with({
      "signed.mjs": moduleOn("jobs.db", SIGNED),
      "moved.mjs": moduleOn("moved.db", SIGNED),
      "copy.mjs": moduleOn("copy.db", SIGNED),
      "plain.mjs": moduleOn("plain.db", ""),
      "prefixed.mjs": moduleOn("prefixed.db", SIGNED, "other_"),
    });
    {
      await using queue = openSigned(project, "jobs.db");
      await queue.enqueue(add.job(1), { id: "one" });
    }
    const run = async (...args: readonly string[]) => {
      const { code, errors } = await mistakeOf(project, args);
      return code === 0 ? "done" : errors;
    };
    expect(await run("move", "signed.mjs", "sqlite:moved.db")).toBe("done");
    expect(await run("dump", "moved.mjs", "--keep-closed", "-o", "signed.ndjson")).toBe("done");
    expect(await run("load", "plain.mjs", "signed.ndjson")).toBe(
      "taskq: the dump is signed, and the queue 'shop' has no keys; load it into a queue with the serializer it had, " +
        "and move it from there with taskq move, which signs anew\n",
    );
    expect(await run("load", "prefixed.mjs", "signed.ndjson")).toBe(
      "taskq: the dump is signed for the prefix 'taskq_', and 'shop' is kept under 'other_'; load it into a storage with " +
        "that prefix, and move it from there with taskq move, which signs anew\n",
    );
    expect(await run("dump", "plain.mjs", "--reopen", "-o", "plain.ndjson")).toBe("done");
    expect(await run("load", "copy.mjs", "plain.ndjson")).toBe(
      "taskq: the dump is not signed, and the queue 'shop' signs; load it into a queue that does not, " +
        "and move it from there with taskq move, which signs anew\n",
    );
    expect(await run("load", "copy.mjs", "signed.ndjson")).toBe("done");
    expect(await run("move", "copy.mjs", "prefixed.mjs")).toBe("done");
    await using copy = createQueue({
      name: "shop",
      storage: sqliteStorage({ path: project.path("prefixed.db"), tablePrefix: "other_" }),
      tasks: { add },
      serializer: signedSerializer({ secret: SECRET }),
    });
    expect(await copy.job("one")).toMatchObject({ state: "ready", input: 1 });
    await using moved = openSigned(project, "moved.db");
    expect(await moved.job("one")).toMatchObject({ state: "ready", input: 1 });
  },
  PATIENCE,
);
