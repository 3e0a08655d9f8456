import { setImmediate } from "node:timers/promises";
import Database from "better-sqlite3";
import type { Competitor, ConsumeOptions, Payload } from "./competitor.js";
import { LogChanges } from "./log-changes.js";

interface Claimed {
  readonly id: number;
  readonly body: string;
}
interface Finished {
  readonly id: number;
  readonly result: string;
}

/**
 * The ceiling: acknowledge what finished and claim the next `workers + prefetch` jobs in one transaction, call the
 * handlers, `workers` at a time, wait for others' writes where there is none, and nothing else: no retries, events, fences, renewal.
 */
export const ceiling: Competitor = {
  async open({ path, durability }) {
    const database = new Database(path);
    database.pragma("journal_mode = wal");
    database.pragma(`synchronous = ${durability}`);
    database.exec(`
      create table if not exists jobs (id integer primary key, queue text not null, priority integer not null,
        state integer not null, lease integer, body text not null);
      create index if not exists ready on jobs (queue, priority desc, id) where state = 0;
      create table if not exists results (id integer primary key, value text not null)`);
    const insert = database.prepare(
      "insert into jobs (queue, priority, state, body) values ('default', 0, 0, ?)",
    );
    const unfinished = database.prepare("select count(*) from jobs").pluck();
    const insertMany = database.transaction((payloads: readonly Payload[]) => {
      for (const each of payloads) insert.run(JSON.stringify(each));
    });
    return {
      enqueue: (payload) => insert.run(JSON.stringify(payload)),
      enqueueMany: (payloads) => insertMany.immediate(payloads),
      roundTrip: () => Promise.reject(new Error("the ceiling has no waiting")),
      consume: (options) => Promise.resolve(consume(database, options)),
      unfinished: async () => Number(unfinished.get()),
      async close() {
        database.close();
      },
    };
  },
};

function consume(database: Database.Database, options: ConsumeOptions): () => Promise<void> {
  const step = stepOf(database);
  const changes = new LogChanges(database);
  const stopping = new AbortController();
  const loop = async (): Promise<void> => {
    let finished: Finished[] = [];
    while (!stopping.signal.aborted) {
      const claimed = step.immediate(finished, options.workers + (options.prefetch ?? 0));
      finished = [];
      for (let from = 0; from < claimed.length; from += options.workers) {
        const together = claimed.slice(from, from + options.workers).map(async ({ id, body }) => {
          const result = await options.run(JSON.parse(body) as Payload);
          return { id, result: JSON.stringify(result) };
        });
        finished.push(...(await Promise.all(together)));
      }
      await (claimed.length === 0 ? changes.next() : setImmediate());
    }
    step.immediate(finished, 0);
  };
  const ended = loop();
  return () => {
    stopping.abort();
    changes.end();
    return ended;
  };
}

type Step = (finished: readonly Finished[], claim: number) => Claimed[];

function stepOf(database: Database.Database): Database.Transaction<Step> {
  const remove = database.prepare("delete from jobs where id = ?");
  const keep = database.prepare("insert or replace into results (id, value) values (?, ?)");
  const claim = database.prepare<[number, number], Claimed>(`
    update jobs set state = 1, lease = ? where id in
      (select id from jobs where queue = 'default' and state = 0 order by priority desc, id limit ?)
    returning id, body`);
  return database.transaction<Step>((finished, count) => {
    for (const { id, result } of finished) {
      remove.run(id);
      keep.run(id, result);
    }
    return count === 0 ? [] : claim.all(Date.now() + 30_000, count);
  });
}
