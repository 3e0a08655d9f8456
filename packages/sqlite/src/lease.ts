import type { Move } from "./move.js";
import { keyOf, type Key } from "./row.js";

/** The jobs of a lease are its keys, eight bytes each. */
const KEY_BYTES = 8;
const TIME_SPLIT = 2 ** 11;
let scratch = Buffer.alloc(KEY_BYTES * 128);

export interface LeaseKey {
  readonly time: number;
  readonly low: number;
}

/** The bytes of keys; valid until the next call. */
export function packKeys(keys: readonly LeaseKey[]): Buffer {
  const size = keys.length * KEY_BYTES;
  if (scratch.length < size) scratch = Buffer.alloc(size * 2);
  let offset = 0;
  for (const { time, low } of keys) {
    // Below 0 where somebody has written into a key: nobody else is to wait for that.
    scratch.writeInt32BE(Math.floor(time / TIME_SPLIT), offset);
    scratch.writeUInt32BE((time & (TIME_SPLIT - 1)) * 2 ** 21 + low, offset + 4);
    offset += KEY_BYTES;
  }
  return scratch.subarray(0, size);
}

export function unpackKeys(bytes: Buffer): Key[] {
  const keys: Key[] = [];
  // Somebody has made text of it.
  if (!Buffer.isBuffer(bytes)) return keys;
  for (let offset = 0; offset + KEY_BYTES <= bytes.length; offset += KEY_BYTES) {
    const lower = bytes.readUInt32BE(offset + 4);
    const time = bytes.readInt32BE(offset) * TIME_SPLIT + Math.floor(lower / 2 ** 21);
    keys.push(keyOf(time, lower % 2 ** 21));
  }
  return keys;
}

export interface LeaseRow {
  readonly id: number;
  readonly fence: number;
  readonly owner: number;
  readonly request: number;
  readonly until: number;
  readonly length: number;
  readonly suspect: number | null;
  readonly jobs: Buffer;
}

export const LEASE_COLUMNS = "id, fence, owner, request, until, length, suspect, jobs";

export interface NewLease {
  readonly fence: number;
  readonly owner: number;
  readonly request: number;
  readonly until: number;
  readonly length: number;
  readonly keys: readonly LeaseKey[];
  readonly isBare: boolean;
}

/** Writes a lease, in the row of one of ours that is over if there is such a row; deletes the others that are over. */
export function writeLease(move: Move, lease: NewLease | undefined): void {
  const over = endedLeases(move);
  let row: number | undefined;
  for (const ended of over) {
    if (lease !== undefined && row === undefined && reuse(move, ended.row, ended.fence, lease)) {
      row = ended.row;
    } else {
      move.sql("DELETE FROM {leases} WHERE id = ? AND fence = ?").run(ended.row, ended.fence);
    }
  }
  if (lease !== undefined) row ??= insert(move, lease);
  remember(move, over, lease, row);
}

function reuse(move: Move, row: number, fence: number, lease: NewLease): boolean {
  const { changes } = move
    .sql(
      "UPDATE {leases} SET fence = ?, owner = ?, request = ?, until = ?, length = ?, suspect = NULL, jobs = ? " +
        "WHERE id = ? AND fence = ?",
    )
    .run(
      lease.fence,
      lease.owner,
      lease.request,
      lease.until,
      lease.length,
      packKeys(lease.keys),
      row,
      fence,
    );
  return changes === 1;
}

function insert(move: Move, lease: NewLease): number {
  const row = move
    .raw(
      "INSERT INTO {leases} (queue, fence, owner, request, until, length, jobs) VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id",
    )
    .get(
      move.queue.id,
      lease.fence,
      lease.owner,
      lease.request,
      lease.until,
      lease.length,
      packKeys(lease.keys),
    ) as [number];
  return row[0];
}

interface EndedLease {
  readonly fence: number;
  readonly row: number;
}

/** Leases of this process all of whose runs have ended by now. */
function endedLeases(move: Move): EndedLease[] {
  const over: EndedLease[] = [];
  for (const { fence, count } of move.endedRuns.values()) {
    const held = move.queue.leases.get(fence);
    if (held !== undefined && held.left <= count) over.push({ fence, row: held.row });
  }
  return over;
}

function remember(
  move: Move,
  over: readonly EndedLease[],
  lease: NewLease | undefined,
  row: number | undefined,
): void {
  if (move.endedRuns.size === 0 && lease === undefined) return;
  const { queue, endedRuns } = move;
  move.scope.onCommit(() => {
    for (const { fence, count } of endedRuns.values()) {
      const held = queue.leases.get(fence);
      if (held !== undefined) held.left -= count;
    }
    for (const { fence } of over) queue.leases.delete(fence);
    if (lease !== undefined && row !== undefined) {
      queue.leases.set(lease.fence, { row, left: lease.keys.length, isBare: lease.isBare });
    }
  });
}
