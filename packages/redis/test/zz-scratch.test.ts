import { createIdMaker } from "@taskq/core/storage";
import { test } from "vitest";
import { Caller } from "../src/connection/caller.js";
import { optionsOfUrl } from "../src/connection/url.js";
import { connect } from "./support/store.js";
import { startRedisServer } from "./servers/redis-server.js";

test("scratch", async () => {
  const server = await startRedisServer();
  
  const caller: any = new Caller({ source: { kind: "options", options: optionsOfUrl(server.url) }, timeout: 5000 } as any);
  const s = connect(server, "x");
  await s.open({ queue: "q", retention: { completed: { for: 1e11, max: 1e6 }, failed: { for: 1e11, max: 1e6 } } });
  const make = createIdMaker();
  const job = () => ({ id: make(Date.now()), named: false, task: "work", body: Buffer.from("x".repeat(100)), priority: 0, due: Date.now(), expiresAt: undefined, delivery: "at-least-once" as const, after: undefined, gates: undefined, unique: undefined, keep: undefined });
  const slow = async (what: string) => {
    const log = (await caller.command("slowlog", ["get", "128"])) as any[];
    await caller.command("slowlog", ["reset"]);
    console.log(what, log.map((e) => `${String(e[3][0])} ${e[2]}`).join(", "));
  };
  await caller.command("config", ["set", "slowlog-log-slower-than", "300"]);
  const members = Array.from({ length: 10_000 }, job);
  const sum = job();
  const end = make(Date.now());
  await s.enqueue({ queue: "q", flows: [{ end: sum.id, jobs: [...members, { ...sum, after: [{ source: end, on: "completed" }] }], joins: [{ id: end, mode: "all", members: members.map((m) => m.id) }] }] });
  await slow("enqueue");
  const step = (n: number, settled: any[] = [], r = Math.random() * 1e9) => s.step({ queue: "q", owner: "o", request: Math.floor(Date.now() * 1000 + r / 1e9 * 1000), tasks: ["work"], settled, begun: [], claim: n ? { begin: n, ahead: 0, lease: 30000 } : undefined });
  const { claimed: [run] } = await step(1);
  await slow("claim");
  await step(0, [{ id: run!.id, fence: run!.fence, startedAt: Date.now(), outcome: { kind: "failed", error: Buffer.from("boom") } }]);
  await slow("fail");
  await s.counts({ queue: "q" });
  await slow("counts");
  await s.purge({ queue: "q", limit: 1e9, everything: true });
  await slow("flush");
  // plain jobs
  for (const size of [1000]) {
    const flows = Array.from({ length: size }, () => { const j = job(); return { end: j.id, jobs: [j], joins: [] }; });
    const m0 = Number(String(await caller.command("info", ["memory"])).match(/used_memory:(\d+)/)![1]);
    for (let k = 0; k < 20; k++) await s.enqueue({ queue: "q", flows: flows.map((f) => { const j = job(); return { ...f, end: j.id, jobs: [j] }; }) });
    const m1 = Number(String(await caller.command("info", ["memory"])).match(/used_memory:(\d+)/)![1]);
    console.log("bytes per job", (m1 - m0) / 20000);
    await slow("bulk enqueue");
  }
  await caller.command("config", ["resetstat"]);
  let t = performance.now();
  for (let k = 0; k < 500; k++) { const j = job(); await s.enqueue({ queue: "q", flows: [{ end: j.id, jobs: [j], joins: [] }] }); }
  console.log("enqueue ms each", (performance.now() - t) / 500);
  console.log(String(await caller.command("info", ["commandstats"])).match(/cmdstat_eval.*/g));
  await caller.command("config", ["resetstat"]);
  for (const n of [1, 10, 50]) {
    let settled: any[] = [];
    await caller.command("config", ["resetstat"]);
    t = performance.now();
    let jobs = 0;
    for (let k = 0; k < 100; k++) {
      const a = await step(n, settled);
      jobs += a.claimed.length;
      settled = a.claimed.map((c) => ({ id: c.id, fence: c.fence, startedAt: Date.now(), outcome: { kind: "completed", result: Buffer.from("5") }, claimed: c }));
    }
    console.log("step", n, "us per job", ((performance.now() - t) * 1000) / jobs, String(await caller.command("info", ["commandstats"])).match(/cmdstat_eval.*/g));
  }
  await s.close();
  await server.stop();
}, 120_000);
