/** The programs on a Redis server, by `TASKQ_REDIS_URL` alone. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hasTestServer, startTestServer, type TestServer } from "@taskq/redis-servers";
import { Redis } from "ioredis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { runProgram } from "./programs.js";

const PATIENCE = 90_000;

describe.skipIf(!hasTestServer)("on Redis", () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer(["--appendonly", "yes"]);
  });
  afterAll(() => server.stop());

  /** Keys of these programs: on a guest's server, others may run them too. */
  async function keys(): Promise<readonly string[]> {
    const client = new Redis(server.url);
    const found: string[] = [];
    for await (const some of client.scanStream({ match: "taskq-*:{*", count: 500 }) as AsyncIterable<
      string[]
    >) {
      found.push(...some.filter((key) => /^taskq-(?:demo|beans)-/.test(key)));
    }
    client.disconnect();
    return found;
  }

  test(
    "the demo and the beans run unchanged, and leave no key behind",
    async () => {
      const folder = await mkdtemp(join(tmpdir(), "taskq-demo-test-"));
      try {
        const before = new Set(await keys());
        await writeFile(join(folder, "a.txt"), "one two\nthree\n");
        const [demo, beans] = await Promise.all([
          runProgram("main", [folder], { redisUrl: server.url }),
          runProgram("beans", [], { redisUrl: server.url, input: "3\n" }),
        ]);
        expect([demo.errors, demo.code]).toEqual(["", 0]);
        expect(demo.output).toContain("workers each, one Redis server");
        expect(demo.output).toMatch(/^ {2}words +3 +3 +yes$/m);
        expect(demo.output).toMatch(/^ {2}Redis: keys of the demo left behind +0 +0 +yes$/m);
        expect(demo.output).toMatch(/All \d+ checks hold/);
        expect(demo.output).not.toMatch(/ {3}NO$/m);
        expect([beans.errors, beans.code]).toEqual(["", 0]);
        expect(beans.output).toContain("Counted 3 beans.");
        expect((await keys()).filter((key) => !before.has(key))).toEqual([]);
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
    PATIENCE,
  );
});

test("a server that cannot be used is told of in one line, without its password", async () => {
  const redisUrl = "http://ada:secret@localhost";
  const { code, output, errors } = await runProgram("main", ["/tmp"], { redisUrl });
  expect([code, output]).toEqual([1, ""]);
  expect(errors).toBe("demo: redisStorage url: expected redis:// or rediss://, got http:// (TASKQ_OPTION)\n");
});
