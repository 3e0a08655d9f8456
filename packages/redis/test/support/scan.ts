/** What must hold between the keys of a queue at every moment. */
import assert from "node:assert/strict";
import { isFinal, type StoredState } from "@taskq/core/storage";
import { Redis } from "ioredis";
import { KEY_NAMES, type KeyName } from "../../src/lua/key-names.js";
import { BLOCK, TOGETHER } from "../../src/lua/block.js";
import { keysOf } from "../../src/queue-keys.js";
import { unpackAll, type Answer, type AnswerRecord } from "../../src/wire/unpack.js";

const STATES: readonly StoredState[] = [
  "blocked",
  "ready",
  "parked",
  "active",
  "completed",
  "failed",
  "cancelled",
  "expired",
  "skipped",
  "quarantined",
  "scheduled",
];
/** Those counted in the row of the queue, in its order. */
const COUNTED: readonly StoredState[] = [
  "blocked",
  "parked",
  "completed",
  "failed",
  "cancelled",
  "expired",
  "skipped",
  "quarantined",
];
const JOIN = 32;
const HEAD = 11;

interface Row {
  readonly key: string;
  readonly order: number;
  readonly join: boolean;
  state: StoredState;
  readonly seldom: AnswerRecord;
}

/** Reads all of a queue, or of one partition of it, and throws on the first contradiction. */
export async function scan(url: string, prefix: string, queue: string, partition = 0): Promise<void> {
  const redis = new Redis(url);
  try {
    await new Scan(redis, keysOf(prefix, queue, partition)).run();
  } finally {
    redis.disconnect();
  }
}

class Scan {
  readonly #redis: Redis;
  readonly #keys: ReadonlyMap<KeyName, string>;

  constructor(redis: Redis, keys: readonly string[]) {
    this.#redis = redis;
    this.#keys = new Map(KEY_NAMES.map((name, place) => [name, keys[place] ?? ""]));
  }

  async run(): Promise<void> {
    const rows = await this.#rows();
    await this.#checkPlaces(rows);
    await this.#checkCounts(rows);
    await this.#checkGates(rows);
    await this.#checkRemains(rows);
  }

  #key(name: KeyName): string {
    return this.#keys.get(name) ?? "";
  }

  async #rows(): Promise<readonly Row[]> {
    const scheduled = new Set((await this.#members("scheduled")).map((member) => keyIn(member, 10)));
    const claimed = new Set(await this.#claimed());
    const ended = await this.#hash("ended");
    const all = await this.#hash("rows");
    return [...all].map(([key, text]) => {
      const values = unpackAll(text.subarray(HEAD), -1);
      const code = values[1] as number;
      const join = code >= JOIN;
      let state = STATES[(join ? code - JOIN : code) - 1] ?? "blocked";
      if (state === "scheduled" && !scheduled.has(key)) state = "ready";
      if (claimed.has(key)) {
        assert.equal(state, "ready", `${key} was claimed as it is`);
        state = "active";
      }
      const end = ended.get(key);
      if (end !== undefined) {
        assert.equal(state, "ready", `the run of ${key} ended, and its row is as it was`);
        state = STATES[(unpackAll(end, -1)[0] as number) - 1] ?? "blocked";
      }
      return {
        key,
        order: text.readUIntBE(0, 5),
        join,
        state,
        seldom: named((values[3] ?? []) as readonly Answer[]),
      };
    });
  }

  async #checkPlaces(rows: readonly Row[]): Promise<void> {
    const of = (...states: StoredState[]): string[] =>
      rows.filter(({ join, state }) => !join && states.includes(state)).map(({ key }) => key);
    const keysAfter = async (name: KeyName, at: number): Promise<string[]> =>
      (await this.#members(name)).map((member) => keyIn(member, at));
    const ready = [...(await keysAfter("ready", 12)), ...(await this.#keysInBlocks())];
    assert.deepEqual(ready.toSorted(), of("ready").toSorted(), "ready");
    assert.deepEqual((await keysAfter("scheduled", 10)).toSorted(), of("scheduled").toSorted(), "scheduled");
    const runs = (await keysAfter("active", 0)).filter((entry) => !entry.startsWith("#"));
    assert.deepEqual([...runs, ...(await this.#claimed())].toSorted(), of("active").toSorted(), "active");
    const lines = (await this.#members("lines")).map((member) => member.toString("latin1"));
    for (const { key, state, seldom } of rows) {
      const line = seldom["line"];
      assert.equal(
        line !== undefined,
        state === "parked",
        `${key} is ${state} in the line ${line as string}`,
      );
    }
    assert.ok(lines.length >= of("parked").length, "parked jobs are in lines");
    const kept = [
      ...(await this.#members("done")).flatMap(retainedKeys),
      ...(await keysAfter("gone", 0)),
      ...(await keysAfter("kept", 0)),
    ];
    const final = rows.filter(({ state, seldom }) => isFinal(state) && seldom["withheld"] === undefined);
    assert.deepEqual(kept.toSorted(), final.map(({ key }) => key).toSorted(), "retained");
    await this.#checkListing(rows);
  }

  /** The keys of ready jobs that stand in blocks, each of which the listing has whole. */
  async #keysInBlocks(): Promise<readonly string[]> {
    const keys: string[] = [];
    for (const member of await this.#members("blocks")) {
      const first = member.readUIntBE(6, 6);
      const id = `${String(first - (first % BLOCK))}-1`;
      const [entry] = await this.#redis.xrangeBuffer(this.#key("listing"), id, id);
      const text = String(entry?.[1][1]).slice((first % BLOCK) * 14, ((first % BLOCK) + TOGETHER) * 14);
      assert.equal(text.length, TOGETHER * 14, "a block of ready jobs");
      for (let at = 0; at < text.length; at += 14) keys.push(text.slice(at, at + 14));
    }
    return keys;
  }

  /** The keys of rows that were claimed and left as they are; each claim is an entry of the set of runs, and says how many are left. */
  async #claimed(): Promise<readonly string[]> {
    const claims = [...(await this.#hash("claims"))];
    const entries = (await this.#members("active")).map(String).filter((entry) => entry.startsWith("#"));
    assert.deepEqual(entries.toSorted(), claims.map(([fence]) => `#${fence}`).toSorted(), "claims");
    return claims.flatMap(([fence, text]) => {
      const [left, , , , list] = unpackAll(text, 4);
      const members = (list as readonly Answer[]).filter((_, place) => place % 2 === 0);
      const keys = members.flatMap((member) => retainedKeys(Buffer.from(member as Uint8Array)));
      assert.equal(keys.length, left, `what is left of the claim ${fence}`);
      assert.ok(keys.length > 0, `the claim ${fence} is over`);
      return keys;
    });
  }

  /** A row is an entry of its own, or one of the keys of a block: then those that are left of it are counted. */
  async #checkListing(rows: readonly Row[]): Promise<void> {
    const listing = await this.#redis.xrange(this.#key("listing"), "-", "+");
    const listed = await this.#hash("listed");
    const there = new Map(rows.map(({ order, key }) => [order, key]));
    const found: string[] = [];
    for (const [id, [, keys = ""]] of listing) {
      const first = Number(id.replace(/-1$/, ""));
      const size = Number(listed.get(String(first / BLOCK)) ?? 0);
      const many = first % BLOCK === 0 ? Math.floor(size / (BLOCK * 2)) : 0;
      if (many === 0) found.push(`${first} ${keys}`);
      else assert.equal(keys.length, many * 14, `the keys of the block ${id}`);
      const left = Array.from({ length: many }, (_, n) => `${first + n} ${keys.slice(n * 14, n * 14 + 14)}`);
      const kept = left.filter((_, n) => there.get(first + n) === keys.slice(n * 14, n * 14 + 14));
      assert.equal(kept.length, size % (BLOCK * 2), `what is left of the block ${id}`);
      if (many > 0) assert.ok(kept.length > 0, `something is left of the block ${id}`);
      found.push(...kept);
    }
    const wanted = rows.map(({ order, key }) => `${order} ${key}`);
    assert.deepEqual(found.toSorted(), wanted.toSorted(), "listing");
    const blocks = listing.filter(([id]) => listed.has(String(Number(id.replace(/-1$/, "")) / BLOCK)));
    assert.equal(listed.size, blocks.length, "blocks of the listing");
  }

  async #checkCounts(rows: readonly Row[]): Promise<void> {
    const text = await this.#redis.getBuffer(this.#key("queue"));
    assert.ok(text !== null);
    const values = unpackAll(text, -1);
    assert.equal(values[5], false, "something is left of earlier calls");
    for (const [place, state] of COUNTED.entries()) {
      const there = rows.filter((row) => !row.join && row.state === state).length;
      assert.equal(values[6 + place], there, `the count of ${state} jobs`);
    }
    const withheld = rows.filter(({ seldom }) => seldom["withheld"] !== undefined).length;
    const [, kept = 0] = (values[15] ?? []) as readonly number[];
    assert.equal(kept, withheld, "the count of withheld rows");
  }

  async #checkGates(rows: readonly Row[]): Promise<void> {
    const lines = await this.#members("lines");
    const holds = await this.#members("holds");
    let inLines = 0;
    let held = 0;
    for (const [name, text] of await this.#hash("gates")) {
      const [number, size, jobs, passing, opensAt] = unpackAll(text, -1) as [
        number,
        number,
        number,
        number,
        Answer,
      ];
      const own = (members: readonly Buffer[]): number =>
        members.filter((member) => member.readUIntBE(0, 6) === number).length;
      assert.equal(own(lines), size, `the line of ${name}`);
      assert.equal(own(holds), jobs, `the holders of ${name}`);
      const passes = rows.filter(({ seldom }) => seldom["passing"] === name).length;
      assert.equal(passes, passing, `the places kept at ${name}`);
      assert.ok(size + jobs + passing > 0 || hasTickets(text), `${name} is of no use`);
      const opens = await this.#redis.zscore(this.#key("opening"), name);
      assert.equal(opens, opensAt === false ? null : String(opensAt as number), `when ${name} opens`);
      inLines += size;
      held += jobs;
    }
    assert.equal(lines.length, inLines, "lines of no gate");
    assert.equal(holds.length, held, "holders of no gate");
  }

  /** What belongs to rows that are gone. */
  async #checkRemains(rows: readonly Row[]): Promise<void> {
    const keys = new Set(rows.map(({ key }) => key));
    for (const name of ["bodies", "stories"] as const) {
      for (const field of (await this.#hash(name)).keys()) {
        assert.ok(keys.has(keyOfField(field)), `${field} in ${name} belongs to nothing`);
      }
    }
    for (const field of (await this.#hash("members")).keys()) {
      assert.ok(keys.has(field), `${field} in members belongs to nothing`);
    }
    for (const key of (await this.#hash("ended")).keys())
      assert.ok(keys.has(key), `${key} has ended, and is gone`);
    const active = new Set(rows.filter(({ state }) => state === "active").map(({ key }) => key));
    for (const field of (await this.#hash("flagged")).keys())
      assert.ok(active.has(field), `${field} is flagged`);
  }

  async #members(name: KeyName): Promise<Buffer[]> {
    return this.#redis.zrangeBuffer(this.#key(name), "0", "-1");
  }

  async #hash(name: KeyName): Promise<ReadonlyMap<string, Buffer>> {
    const all = await this.#redis.hgetallBuffer(this.#key(name));
    return new Map(Object.entries(all));
  }
}

/** What few rows have and is looked at here, by its number. */
const NAMES: ReadonlyMap<Answer, string> = new Map([
  [16, "line"],
  [17, "passing"],
  [21, "withheld"],
]);

function named(seldom: readonly Answer[]): AnswerRecord {
  const record: Record<string, Answer> = {};
  for (let at = 0; at < seldom.length; at += 2) record[NAMES.get(seldom[at]) ?? "other"] = seldom[at + 1];
  return record;
}

/** Of the row that a field belongs to; behind that of a group stands the id of a member, and before it how long it is. */
function keyOfField(field: string): string {
  const from = field.indexOf(":") + 1;
  return field.startsWith("m")
    ? field.slice(from, from + Number(field.slice(1, from - 1)))
    : field.slice(from);
}

/** Where nothing stands beside a row, its order, of six bytes, stands before its key; rows that completed together may be one entry. */
function retainedKeys(member: Buffer): readonly string[] {
  if (member[0] === 0) return [keyIn(member, 6)];
  if (member[0] !== 1) return [keyIn(member, 0)];
  assert.equal((member.length - 1) % 20, 0, "an entry of rows that completed together");
  return Array.from({ length: (member.length - 1) / 20 }, (_, n) =>
    keyIn(member.subarray(0, n * 20 + 21), n * 20 + 7),
  );
}

function keyIn(member: Buffer, at: number): string {
  return member.subarray(at).toString();
}

function hasTickets(text: Buffer): boolean {
  return unpackAll(text, -1)
    .slice(5)
    .some((tickets) => typeof tickets === "object" && Object.keys(tickets).length > 0);
}
