/** The tables. `{name}` stands for the prefixed name of a table or an index. */

/** Raised with every change of the tables; each step up has its statements in `MIGRATIONS`. */
export const SCHEMA_VERSION = 1;

const QUEUES = `
CREATE TABLE {queues} (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  epoch INTEGER NOT NULL DEFAULT 0,
  phase INTEGER NOT NULL DEFAULT 0,
  version INTEGER NOT NULL DEFAULT 0,
  wake INTEGER,
  failed INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  expired INTEGER NOT NULL DEFAULT 0,
  skipped INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  completed_for INTEGER NOT NULL,
  completed_max INTEGER NOT NULL,
  failed_for INTEGER NOT NULL,
  failed_max INTEGER NOT NULL,
  shortest INTEGER,
  unknown_after INTEGER
);
CREATE TABLE {moves} (
  queue INTEGER PRIMARY KEY,
  departure TEXT,
  destination TEXT,
  origin TEXT,
  arrival TEXT,
  cursor TEXT,
  sealed TEXT
);
CREATE TABLE {owners} (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, seen INTEGER NOT NULL);
CREATE INDEX {owners_seen} ON {owners} (seen);
`;

/** That a row waits in the line of a unique key; of a line, to be asked for in these very words. */
export const IN_LINE = "gate >= 'unique:' AND gate < 'unique;'";

/**
 * `pad` is let go by the first claim: what claiming and settling write then fits where the row stands, and its page is
 * not split. Measured: a tenth of the rate of small steps.
 *
 * Columns that a plain enqueue leaves out have defaults, so that it binds eight values. The partial indexes rest on
 * columns that are NULL for most rows: a settlement touches none of them.
 */
const JOBS = `
CREATE TABLE {jobs} (
  key INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  state INTEGER NOT NULL,
  priority INTEGER NOT NULL,
  due INTEGER NOT NULL,
  task TEXT NOT NULL,
  random INTEGER NOT NULL,
  flags INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  failures INTEGER NOT NULL DEFAULT 0,
  crashes INTEGER NOT NULL DEFAULT 0,
  fence INTEGER NOT NULL DEFAULT 0,
  settled INTEGER,
  owner INTEGER,
  enqueued INTEGER,
  expires INTEGER,
  started INTEGER,
  ended INTEGER,
  later INTEGER,
  gate TEXT,
  pending INTEGER,
  trunk INTEGER,
  reason TEXT,
  cause TEXT,
  meta TEXT,
  pad BLOB DEFAULT x'${"00".repeat(32)}',
  body BLOB NOT NULL,
  result BLOB
);
CREATE TABLE {bodies} (key INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE INDEX {jobs_ready} ON {jobs} (queue, priority DESC, due) WHERE state = 0;
CREATE INDEX {jobs_later} ON {jobs} (queue, later) WHERE later IS NOT NULL;
CREATE INDEX {jobs_gate} ON {jobs} (queue, gate, priority DESC, due) WHERE gate IS NOT NULL;
CREATE INDEX {jobs_line} ON {jobs} (queue, gate, pending) WHERE ${IN_LINE};
CREATE INDEX {jobs_trunk} ON {jobs} (trunk) WHERE trunk IS NOT NULL;
CREATE INDEX {jobs_joins} ON {jobs} (trunk) WHERE task = '' AND trunk IS NOT NULL;
CREATE TABLE {names} (
  queue INTEGER NOT NULL,
  name TEXT NOT NULL,
  key INTEGER,
  task TEXT NOT NULL,
  state INTEGER,
  until INTEGER NOT NULL,
  PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE INDEX {names_until} ON {names} (queue, until) WHERE key IS NULL;
CREATE TABLE {edges} (
  source INTEGER NOT NULL,
  target INTEGER NOT NULL,
  position INTEGER NOT NULL,
  condition INTEGER NOT NULL,
  met INTEGER NOT NULL DEFAULT 0,
  id TEXT NOT NULL,
  follower TEXT NOT NULL,
  member INTEGER,
  PRIMARY KEY (source, target, position)
) WITHOUT ROWID;
CREATE INDEX {edges_target} ON {edges} (target, position);
`;

/** Of tasks that keep no more than so many final jobs: `other` than completed ones are counted apart. */
const CAPS = `
CREATE TABLE {caps} (
  queue INTEGER NOT NULL,
  task TEXT NOT NULL,
  other INTEGER NOT NULL,
  count INTEGER NOT NULL,
  max INTEGER NOT NULL,
  PRIMARY KEY (queue, task, other)
) WITHOUT ROWID;
CREATE TABLE {capped} (
  queue INTEGER NOT NULL,
  task TEXT NOT NULL,
  other INTEGER NOT NULL,
  ended INTEGER NOT NULL,
  key INTEGER NOT NULL,
  PRIMARY KEY (queue, task, other, ended, key)
) WITHOUT ROWID;
`;

const RUNS = `
CREATE TABLE {leases} (
  id INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  request INTEGER NOT NULL,
  until INTEGER NOT NULL,
  length INTEGER NOT NULL,
  suspect INTEGER,
  completed INTEGER NOT NULL DEFAULT 0,
  jobs BLOB NOT NULL
);
CREATE TABLE {attempts} (
  key INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  owner TEXT NOT NULL,
  started INTEGER NOT NULL,
  ended INTEGER,
  error BLOB,
  PRIMARY KEY (key, fence)
) WITHOUT ROWID;
CREATE TABLE {notes} (
  key INTEGER NOT NULL,
  position INTEGER NOT NULL,
  time INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  bytes BLOB NOT NULL,
  PRIMARY KEY (key, position)
) WITHOUT ROWID;
CREATE TABLE {revoked} (
  key INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  owner INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  id TEXT NOT NULL
);
CREATE TABLE {spared} (trunk INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (trunk, key)) WITHOUT ROWID;
CREATE INDEX {spared_key} ON {spared} (key);
CREATE TABLE {doomed} (key INTEGER PRIMARY KEY, queue INTEGER NOT NULL, cursor INTEGER NOT NULL);
`;

const GATES = `
CREATE TABLE {parking} (
  queue INTEGER NOT NULL,
  gate TEXT NOT NULL,
  until INTEGER,
  PRIMARY KEY (queue, gate)
) WITHOUT ROWID;
CREATE TABLE {holders} (
  queue INTEGER NOT NULL,
  gate TEXT NOT NULL,
  holder TEXT NOT NULL,
  owner TEXT NOT NULL,
  fence INTEGER NOT NULL,
  expires INTEGER,
  PRIMARY KEY (queue, gate, holder)
) WITHOUT ROWID;
CREATE INDEX {holders_expires} ON {holders} (queue, expires) WHERE expires IS NOT NULL;
CREATE TABLE {tickets} (
  id INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  gate TEXT NOT NULL,
  ticket TEXT NOT NULL,
  owner TEXT NOT NULL,
  max INTEGER NOT NULL,
  ttl INTEGER NOT NULL,
  since INTEGER NOT NULL,
  until INTEGER NOT NULL,
  UNIQUE (queue, gate, ticket)
);
CREATE INDEX {tickets_line} ON {tickets} (queue, gate, since, id);
CREATE INDEX {tickets_until} ON {tickets} (queue, until);
CREATE TABLE {uniques} (
  queue INTEGER NOT NULL,
  name TEXT NOT NULL,
  holder INTEGER NOT NULL,
  id TEXT,
  state INTEGER,
  waiting INTEGER,
  until INTEGER,
  PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE TABLE {starts} (
  queue INTEGER NOT NULL,
  gate TEXT NOT NULL,
  time INTEGER NOT NULL,
  fence INTEGER NOT NULL,
  holder TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (queue, gate, time, fence, holder)
) WITHOUT ROWID;
CREATE INDEX {starts_until} ON {starts} (queue, until);
CREATE TABLE {openings} (
  queue INTEGER NOT NULL,
  gate TEXT NOT NULL,
  opens INTEGER NOT NULL,
  PRIMARY KEY (queue, gate)
) WITHOUT ROWID;
CREATE INDEX {openings_opens} ON {openings} (queue, opens);
CREATE INDEX {uniques_until} ON {uniques} (queue, until) WHERE until IS NOT NULL;
`;

const OTHERS = `
CREATE TABLE {controls} (
  queue INTEGER NOT NULL,
  task TEXT NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  revoked INTEGER NOT NULL DEFAULT 0,
  once INTEGER NOT NULL DEFAULT 0,
  until INTEGER,
  PRIMARY KEY (queue, task)
) WITHOUT ROWID;
CREATE TABLE {schedules} (
  queue INTEGER NOT NULL,
  name TEXT NOT NULL,
  origin TEXT NOT NULL,
  task TEXT NOT NULL,
  bytes BLOB NOT NULL,
  paused INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER NOT NULL,
  last_id TEXT,
  PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE TABLE {values} (
  queue INTEGER NOT NULL,
  name TEXT NOT NULL,
  bytes BLOB,
  number REAL,
  expires INTEGER,
  PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE INDEX {values_expires} ON {values} (queue, expires) WHERE expires IS NOT NULL;
CREATE TABLE {operations} (
  queue INTEGER NOT NULL,
  name TEXT NOT NULL,
  time INTEGER NOT NULL,
  answer TEXT NOT NULL,
  PRIMARY KEY (queue, name)
) WITHOUT ROWID;
CREATE INDEX {operations_time} ON {operations} (queue, time);
CREATE TABLE {feeds} (
  queue INTEGER PRIMARY KEY,
  tag TEXT NOT NULL,
  last INTEGER NOT NULL DEFAULT 0,
  gone INTEGER NOT NULL DEFAULT 0,
  until INTEGER
);
CREATE TABLE {events} (id INTEGER PRIMARY KEY, time INTEGER NOT NULL, entries TEXT NOT NULL);
CREATE TABLE {stats} (
  queue INTEGER NOT NULL,
  minute INTEGER NOT NULL,
  task TEXT NOT NULL,
  completed INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  retried INTEGER NOT NULL,
  wait TEXT NOT NULL,
  run TEXT NOT NULL,
  PRIMARY KEY (queue, minute, task)
) WITHOUT ROWID;
`;

/** Statements that lead from version n to n + 1, at position n. Every file starts at 0. */
export const MIGRATIONS: readonly string[] = [QUEUES + JOBS + CAPS + RUNS + GATES + OTHERS];

/** Puts the prefix before every name in braces. */
export function prefixed(sql: string, prefix: string): string {
  return sql.replaceAll(/\{([a-z_]+)\}/g, (_, name: string) => `"${prefix}${name}"`);
}
