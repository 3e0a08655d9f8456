import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { setTimeout as sleep } from "node:timers/promises";
import { connectionTo } from "../src/connection/connection.js";
import { serverBinary } from "./servers/binary.js";
import { freePort } from "./servers/ports.js";
import { startRedisServer } from "./servers/redis-server.js";
import { allOf, callerOf, refusalOf } from "./support/callers.js";
import { afterTest } from "./support/closing.js";
import { ENQUEUES, start } from "./support/programs.js";

/** Not of ours, and not everywhere. */
const tool = "openssl";

interface Keys {
  readonly certificate: string;
  readonly key: string;
}

/** A certificate for 127.0.0.1 that is its own authority. */
function keysOfTest(): Keys {
  const folder = mkdtempSync(join(tmpdir(), "taskq-tls-"));
  afterTest(() => rmSync(folder, { recursive: true, force: true }));
  const keys = { certificate: join(folder, "certificate.pem"), key: join(folder, "key.pem") };
  const request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=taskq";
  execFileSync(
    tool,
    [
      ...request.split(" "),
      "-addext",
      "subjectAltName=IP:127.0.0.1",
      "-keyout",
      keys.key,
      "-out",
      keys.certificate,
    ],
    { stdio: "ignore" },
  );
  return keys;
}

function hasOpenssl(): boolean {
  try {
    execFileSync(tool, ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

async function tlsServer({ certificate, key }: Keys): Promise<number> {
  const port = await freePort();
  const server = await startRedisServer({
    arguments: ["--tls-port", String(port), "--tls-cert-file", certificate, "--tls-key-file", key]
      .concat("--tls-ca-cert-file", certificate)
      .concat("--requirepass", "hidden word"),
    password: "hidden word",
  });
  afterTest(() => server.stop());
  return port;
}

describe.skipIf(serverBinary() === undefined || !hasOpenssl())("TLS", () => {
  test("keys and passwords pass through, and calls go over TLS", async () => {
    const keys = keysOfTest();
    const port = await tlsServer(keys);
    const [ca, key] = [readFileSync(keys.certificate), readFileSync(keys.key)];
    const caller = callerOf({
      connection: { host: "127.0.0.1", port, password: "hidden word", tls: { ca, key, cert: ca } },
    });
    expect(String(await caller.command("ping", []))).toBe("PONG");
  });

  test("a program ends by itself over TLS, too", { timeout: 30_000 }, async () => {
    const keys = keysOfTest();
    const port = await tlsServer(keys);
    const [ca, key] = [keys.certificate, keys.key].map((file) => readFileSync(file, "utf8"));
    const tls = { ca, key, cert: ca };
    const connection = JSON.stringify({ host: "127.0.0.1", port, password: "hidden word", tls });
    expect(await start(`{ connection: ${connection} }`, ENQUEUES).end()).toEqual({ code: 0, output: "" });
  });

  test("a certificate that is not trusted is told within the time, and nothing secret with it", async () => {
    const keys = keysOfTest();
    const port = await tlsServer(keys);
    const error = await refusalOf(
      callerOf({ url: `rediss://:hidden%20word@127.0.0.1:${port}`, timeout: "1s" }).command("ping", []),
    );
    expect(error.code).toBe("TASKQ_UNAVAILABLE");
    expect(error.message).toMatch(/self-signed certificate/);
    expect(allOf(error)).not.toContain("hidden");
    const plain = await refusalOf(
      callerOf({ url: `redis://:hidden%20word@127.0.0.1:${port}`, timeout: "1s" }).command("ping", []),
    );
    expect(plain.code).toBe("TASKQ_UNAVAILABLE");
    expect(allOf(plain)).not.toContain("hidden");
  });

  test("TLS on one end only is told as what it may be", async () => {
    const secured = await tlsServer(keysOfTest());
    const server = await startRedisServer();
    afterTest(() => server.stop());
    const urls = [server.url.replace("redis:", "rediss:"), `redis://127.0.0.1:${secured}`] as const;
    const [over, without] = await Promise.all([
      refusalOf(callerOf({ url: urls[0], timeout: "4s" }).command("ping", [])),
      refusalOf(callerOf({ url: urls[1], timeout: "4s" }).command("ping", [])),
    ]);
    expect([over.code, without.code]).toEqual(["TASKQ_UNAVAILABLE", "TASKQ_UNAVAILABLE"]);
    expect(over.message).toMatch(
      /no answer within 4000 ms: connect ETIMEDOUT \(over TLS; if that port of the server has none, write redis:\/\//,
    );
    expect(without.message).toMatch(
      /ECONNRESET \(without TLS; if that port of the server has it, write rediss:\/\//,
    );
  });

  test("a key is in no error, whatever the client puts into it", async () => {
    const keys = keysOfTest();
    const port = await tlsServer(keys);
    const secret = readFileSync(keys.key, "utf8");
    const error = await refusalOf(
      callerOf({
        connection: { host: "127.0.0.1", port, tls: { ca: secret, key: secret }, password: "hidden word" },
        timeout: "1s",
      }).command("set", ["key", "the input of a job"]),
    );
    const body = secret.split("\n")[1] ?? "";
    expect(body.length).toBeGreaterThan(20);
    for (const each of [body, "hidden", "input of a job"]) expect(allOf(error)).not.toContain(each);
  });

  test("a connection that is closed in mid-handshake ends no process, trusted or not", async () => {
    const keys = keysOfTest();
    const port = await tlsServer(keys);
    const ca = readFileSync(keys.certificate);
    const uncaught: unknown[] = [];
    const note = (error: unknown): void => void uncaught.push(error);
    process.on("uncaughtExceptionMonitor", note);
    afterTest(() => void process.off("uncaughtExceptionMonitor", note));
    for (const tls of [{}, { ca }]) {
      for (let time = 0; time < 80; time += 1) {
        const source = { kind: "options", options: { host: "127.0.0.1", port, tls } } as const;
        const connection = connectionTo(source, "test");
        connection.start();
        // each time a little further into the handshake
        await sleep(time / 10);
        connection.close();
      }
    }
    await sleep(100);
    expect(uncaught).toEqual([]);
  });
});
