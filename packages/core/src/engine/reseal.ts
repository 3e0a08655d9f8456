/** What a queue keeps, sealed anew for the storage it moves to: seals tell where bytes belong. */
import type { MessageContext } from "../serializer/serializer.js";
import type { MovedRecord } from "../storage.js";
import type { Engine } from "./engine-types.js";
import { contextOf, noteContext } from "./sources.js";
import { contextOf as scheduleContext } from "./stored-schedule.js";
import { contextOf as valueContext } from "./values.js";

/** Makes the records of a page ready for the target. */
export type Resealer = (records: readonly MovedRecord[]) => Promise<readonly MovedRecord[]>;

/** `undefined`: the target reads what the source wrote. */
export function resealer(source: Engine, target: Engine): Resealer | undefined {
  const isSealed = source.serializer.seal !== undefined || target.serializer.seal !== undefined;
  const isSame =
    source.serializer === target.serializer && source.storage.namespace === target.storage.namespace;
  if (!isSealed || isSame) return undefined;
  return async (records) => {
    const tasks = await tasksOf(source, records);
    return records.map((record) => resealed({ source, target, tasks }, record));
  };
}

interface Resealing {
  readonly source: Engine;
  readonly target: Engine;
  /** By the id of the job. */
  readonly tasks: ReadonlyMap<string, string>;
}

/** Attempts and notes do not say what task their job is of. */
async function tasksOf(
  source: Engine,
  records: readonly MovedRecord[],
): Promise<ReadonlyMap<string, string>> {
  const ids = new Set<string>();
  for (const record of records) if (record.kind === "attempt" || record.kind === "note") ids.add(record.id);
  const tasks = new Map<string, string>();
  if (ids.size === 0) return tasks;
  const now = source.time.requestNow();
  const jobs = await source.storage.read({ queue: source.name, ids: [...ids], now });
  for (const job of jobs) if (job?.kind === "job") tasks.set(job.id, job.task);
  return tasks;
}

function resealed(resealing: Resealing, record: MovedRecord): MovedRecord {
  const again = (bytes: Uint8Array, contextIn: (engine: Engine) => MessageContext): Uint8Array =>
    sealedAgain(resealing, bytes, contextIn);
  switch (record.kind) {
    case "job": {
      const { body, bytes } = record;
      const purpose = record.state === "completed" ? "result" : "error";
      return {
        ...record,
        body: again(body, (engine) => taskContext(engine, record)),
        bytes: bytes === undefined ? undefined : again(bytes, (engine) => contextOf(engine, record, purpose)),
      };
    }
    case "attempt": {
      const { error } = record;
      const run = { ...record, task: resealing.tasks.get(record.id) ?? "" };
      return error === undefined
        ? record
        : { ...record, error: again(error, (engine) => contextOf(engine, run, "error")) };
    }
    case "note": {
      const { id, note } = record;
      const run = { id, task: resealing.tasks.get(id) ?? "", fence: note.fence };
      const bytes = again(note.bytes, (engine) => noteContext(engine, run, note.kind));
      return { ...record, note: { ...note, bytes } };
    }
    case "event": {
      const { error } = record;
      return error === undefined
        ? record
        : { ...record, error: again(error, (engine) => contextOf(engine, record, "error")) };
    }
    case "value": {
      const { key, value } = record;
      return typeof value === "number"
        ? record
        : { ...record, value: again(value, (engine) => valueContext(engine, key)) };
    }
    case "schedule": {
      const { name, bytes } = record;
      return { ...record, bytes: again(bytes, (engine) => scheduleContext(engine, name)) };
    }
    default:
      return record;
  }
}

function sealedAgain(
  { source, target }: Resealing,
  bytes: Uint8Array,
  contextIn: (engine: Engine) => MessageContext,
): Uint8Array {
  try {
    const context = contextIn(source);
    const { content, sealedAt } = opened(source, bytes, context);
    const { seal } = target.serializer;
    return seal === undefined ? content : seal.close(content, contextIn(target), sealedAt);
  } catch {
    // What nobody can read here must not become readable there.
    return bytes;
  }
}

/** Bytes that were never sealed are sealed only if they can be read. */
function opened(
  { serializer }: Engine,
  bytes: Uint8Array,
  context: MessageContext,
): { readonly content: Uint8Array; readonly sealedAt: number | undefined } {
  if (serializer.seal !== undefined) return serializer.seal.open(bytes, context);
  serializer.decode(bytes, context);
  return { content: bytes, sealedAt: undefined };
}

function taskContext(
  engine: Engine,
  { id, task }: { readonly id: string; readonly task: string },
): MessageContext {
  return { purpose: "task", namespace: engine.storage.namespace, queue: engine.name, id, task };
}
