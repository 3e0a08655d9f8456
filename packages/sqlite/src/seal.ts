/** Where the rows that have arrived lead: found from the edges, once all of them are there. */
import { TaskqError } from "@taskq/core/storage";
import { edgesFrom, MEMBER, MEMBER_ADDED, ON_FAILED, TURN, type EdgeRow } from "./edge-rows.js";
import type { Move } from "./move.js";
import { COMPLETED, FOLLOWED, idOf, ROW_COLUMNS, TRUNKED, type Key, type Row } from "./row.js";
import { rowByKey } from "./rows.js";
import { IN_LINE } from "./schema.js";

/** Rows that are looked at in one call. */
const SEALED_AT_ONCE = 1000;
const LAST_KEY = "9223372036854775807";

/** Goes on before a key, from the last row to the first; answers where to go on, `undefined` at the end. */
export function sealRows(move: Move, before: Key = LAST_KEY): Key | undefined {
  const rows = move
    .sql(
      `SELECT ${ROW_COLUMNS} FROM {jobs} WHERE key < ? AND queue = ? AND flags & ${FOLLOWED} <> 0 ` +
        "ORDER BY {jobs}.key DESC LIMIT ? + 0",
    )
    .all(before, move.queue.id, SEALED_AT_ONCE) as Row[];
  const trunks = new Trunks(move);
  for (const row of rows) trunks.write(row);
  if (rows.length === SEALED_AT_ONCE) return rows.at(-1)?.key;
  checkBlocked(move);
  numberLines(move);
  return undefined;
}

/** From 1 on, in their order: others come behind them. */
function numberLines(move: Move): void {
  move
    .sql(
      "UPDATE {jobs} SET pending = numbered.place FROM " +
        "(SELECT key, row_number() OVER (PARTITION BY gate ORDER BY pending, key) AS place FROM {jobs} " +
        `WHERE queue = ? AND ${IN_LINE} AND state = 3) AS numbered WHERE {jobs}.key = numbered.key`,
    )
    .run(move.queue.id);
}

/** What waits for nothing would wait for ever. @throws `TASKQ_MOVE` */
function checkBlocked(move: Move): void {
  const row = move
    .sql(`SELECT ${ROW_COLUMNS} FROM {jobs} WHERE queue = ? AND state = 2 AND pending = 0 LIMIT 1`)
    .get(move.queue.id) as Row | undefined;
  if (row === undefined) return;
  throw new TaskqError(
    "TASKQ_MOVE",
    `import: ${idOf(row)} is blocked, and waits for nothing that has arrived`,
  );
}

interface Leading {
  /** The join to which a row leads, and nowhere else. */
  readonly trunk: Key | undefined;
  /** Joins to which it leads beside something else. */
  readonly joins: ReadonlySet<Key>;
}

const NOWHERE: Leading = { trunk: undefined, joins: new Set() };

/** The same as `shapeOf` finds out of a flow before it is stored. */
class Trunks {
  private readonly move: Move;
  private readonly known = new Map<Key, Leading>();

  constructor(move: Move) {
    this.move = move;
  }

  write({ key, state }: Row): void {
    const { trunk, joins } = this.leadingOf(key);
    if (trunk !== undefined) {
      this.move.sql("UPDATE {jobs} SET trunk = ?, flags = flags | ? WHERE key = ?").run(trunk, TRUNKED, key);
    } else if (joins.size > 0 && state < COMPLETED) {
      for (const join of joins) {
        this.move.sql("INSERT OR IGNORE INTO {spared} (trunk, key) VALUES (?, ?)").run(join, key);
      }
      this.move.sql("UPDATE {jobs} SET flags = flags | ? WHERE key = ?").run(TRUNKED, key);
    }
  }

  /** Of what follows first: flows may be thousands of stages long. */
  private leadingOf(first: Key): Leading {
    const open = [first];
    // Where somebody has written into the edges, a row may follow itself.
    const seen = new Set<Key>();
    for (let key = open.at(-1); key !== undefined; key = open.at(-1)) {
      const edges = this.known.has(key) ? [] : this.edgesBeyond(key);
      const unknown = seen.has(key) ? [] : edges.filter(({ target }) => !this.known.has(target));
      seen.add(key);
      if (unknown.length > 0) open.push(...unknown.map(({ target }) => target));
      else {
        if (!this.known.has(key)) this.known.set(key, this.combine(edges));
        open.pop();
      }
    }
    return this.known.get(first) ?? NOWHERE;
  }

  private edgesBeyond(key: Key): readonly EdgeRow[] {
    const { connection } = this.move.scope;
    return edgesFrom(connection, key).filter(
      ({ target, condition }) =>
        condition !== ON_FAILED && condition !== TURN && rowByKey(connection, target) !== undefined,
    );
  }

  private combine(edges: readonly EdgeRow[]): Leading {
    const chains: (readonly Key[])[] = [];
    const joins = new Set<Key>();
    for (const { target, condition } of edges) {
      const toJoin = condition === MEMBER || condition === MEMBER_ADDED;
      const beyond = this.known.get(target) ?? NOWHERE;
      const chain = this.chainOf(toJoin ? target : beyond.trunk);
      chains.push(chain);
      const [nearest] = chain;
      if (nearest !== undefined) joins.add(nearest);
      for (const join of beyond.joins) joins.add(join);
    }
    const trunk = chains[0]?.find((join) => chains.every((chain) => chain.includes(join)));
    return { trunk, joins: trunk === undefined ? joins : NOWHERE.joins };
  }

  /** A join, the one that it leads to, and so on. */
  private chainOf(join: Key | undefined): readonly Key[] {
    const chain: Key[] = [];
    for (let next = join; next !== undefined; next = this.known.get(next)?.trunk) chain.push(next);
    return chain;
  }
}
