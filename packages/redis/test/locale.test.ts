/**
 * A server whose locale orders text as people read it, as most are that are started by hand or by systemd under `en_US.UTF-8`: `<` of its
 * Lua goes by that. Few machines of tests have such a locale, so `strcoll` is one of ours there, which does what those do.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { modelSuite } from "@taskq/conformance";
import type { StorageContract } from "@taskq/core/storage";
import { memoryStorage } from "@taskq/memory";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ask } from "./servers/ask.js";
import { serverBinary } from "./servers/binary.js";
import { startRedisServer, type RedisServer } from "./servers/redis-server.js";
import { connect, newPrefix } from "./support/store.js";

/** Capitals are as small letters, and bytes that are no text are not looked at. */
const STRCOLL = `
static int next(const unsigned char **text) {
  while (**text >= 128 || (**text > 0 && **text < 32)) ++*text;
  int own = **text;
  if (own) ++*text;
  return own >= 'A' && own <= 'Z' ? own + 32 : own;
}
int strcoll(const char *left, const char *right) {
  const unsigned char *one = (const unsigned char *)left, *other = (const unsigned char *)right;
  for (;;) {
    int own = next(&one), its = next(&other);
    if (own != its) return own - its;
    if (own == 0) return 0;
  }
}`;

const folder = mkdtempSync(join(tmpdir(), "taskq-locale-"));
const library = join(folder, "collation.so");

function isCompiled(): boolean {
  if (process.platform !== "linux" || serverBinary() === undefined) return false;
  const source = join(folder, "collation.c");
  writeFileSync(source, STRCOLL);
  return ["cc", "gcc", "c++"].some(
    (compiler) => spawnSync(compiler, ["-x", "c", "-shared", "-fPIC", "-o", library, source]).status === 0,
  );
}

const canCompile = isCompiled();
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const fixture = (storage: StorageContract) => ({ storage, close: () => storage.close() });

describe.skipIf(!canCompile)("a server with a locale", () => {
  let server: RedisServer;

  beforeAll(async () => {
    process.env["LD_PRELOAD"] = library;
    try {
      server = await startRedisServer();
    } finally {
      delete process.env["LD_PRELOAD"];
    }
  });
  afterAll(() => server.stop());

  test("orders text by it in Lua", async () => {
    const code = String.raw`return {"a" < "B" and "a" or "B", "\200" < "\201" and "less" or "alike"}`;
    expect(await ask(server.port, [["EVAL", code, "0"]])).toMatch(/a[^]*alike/);
  });

  modelSuite({
    runner: { describe, test },
    name: "redis, in another locale",
    create: async () => fixture(connect(server, newPrefix())),
    reference: async () => fixture(memoryStorage() as unknown as StorageContract),
    runs: 40,
  });
});
