/** Records that go from one storage to another, as the scripts tell and take them. */
import type {
  MovedEdge,
  MovedJob,
  MovedJoin,
  MovedRecord,
  NewGate,
  NewKeep,
  StoredState,
} from "@taskq/core/storage";
import { attemptOf, eventOf, noteOf, scheduleOf } from "./answers.js";
import { bytesIfAny, listOf, number, numberIfAny, text, textIfAny, textsOf } from "./values.js";
import type { AnswerRecord } from "./unpack.js";

/** A record as a script takes it. */
export function movedRequest(record: MovedRecord): unknown {
  if (record.kind === "stats") {
    const { kind, minute, task, ...rest } = record;
    const bytes = Buffer.from(JSON.stringify({ minute, task, ...rest }));
    return { kind, minute, task, bytes };
  }
  if (record.kind !== "job") return record;
  const { delivery, place: _, ...job } = record;
  return { ...job, once: delivery === "at-most-once" ? true : undefined };
}

/** A record as a script tells it. */
export function movedOf(record: AnswerRecord): MovedRecord {
  switch (record["kind"]) {
    case "job":
      return jobOf(record);
    case "join":
      return joinOf(record);
    case "edge":
      return edgeOf(record);
    case "attempt":
      return { kind: "attempt", id: text(record["id"]), ...attemptOf(record) };
    case "note": {
      const note = noteOf(record["note"] as AnswerRecord);
      return { kind: "note", id: text(record["id"]), position: number(record["position"]), note };
    }
    case "name":
      return {
        kind: "name",
        id: text(record["id"]),
        task: text(record["task"]),
        state: record["state"] as StoredState,
        until: number(record["until"]),
      };
    case "schedule":
      return { kind: "schedule", ...scheduleOf(record) };
    default:
      return besideOf(record);
  }
}

function besideOf(record: AnswerRecord): MovedRecord {
  switch (record["kind"]) {
    case "unique":
      return {
        kind: "unique",
        key: text(record["key"]),
        holder: text(record["holder"]),
        state: record["state"] as StoredState | undefined,
        until: numberIfAny(record["until"]),
        waiting: textIfAny(record["waiting"]),
      };
    case "hold":
      return {
        kind: "hold",
        gate: text(record["gate"]),
        ticket: text(record["ticket"]),
        owner: text(record["owner"]),
        fence: number(record["fence"]),
        expiresAt: number(record["expiresAt"]),
      };
    case "control":
      return {
        kind: "control",
        task: textIfAny(record["task"]),
        paused: record["paused"] === true,
        revoked: record["revoked"] === true,
        once: record["once"] === true,
        until: numberIfAny(record["until"]),
      };
    case "start":
      return {
        kind: "start",
        key: text(record["key"]),
        time: number(record["time"]),
        holder: text(record["holder"]),
        fence: number(record["fence"]),
        until: number(record["until"]),
      };
    case "feed":
      return {
        kind: "feed",
        tag: text(record["tag"]),
        last: number(record["last"]),
        gone: number(record["gone"]),
        until: number(record["until"]),
      };
    case "event":
      return { kind: "event", number: number(record["number"]), ...eventOf(record) };
    default:
      return {
        kind: "value",
        key: text(record["key"]),
        value: numberIfAny(record["number"]) ?? (record["bytes"] as Uint8Array),
        expiresAt: numberIfAny(record["expiresAt"]),
      };
  }
}

function jobOf(record: AnswerRecord): MovedJob {
  const unique = record["unique"] as AnswerRecord | undefined;
  const line = record["line"] as AnswerRecord | undefined;
  const keep = record["keep"] as AnswerRecord | undefined;
  return {
    kind: "job",
    id: text(record["id"]),
    named: record["named"] === true,
    place: undefined,
    task: text(record["task"]),
    state: record["state"] as MovedJob["state"],
    body: record["body"] as Uint8Array,
    priority: number(record["priority"]),
    due: number(record["due"]),
    enqueuedAt: number(record["enqueuedAt"]),
    expiresAt: numberIfAny(record["expiresAt"]),
    delivery: record["once"] === true ? "at-most-once" : "at-least-once",
    after: record["after"] === undefined ? undefined : textsOf(record["after"]),
    gates: record["gates"] === undefined ? undefined : listOf(record["gates"], gateOf),
    unique:
      unique === undefined
        ? undefined
        : { key: text(unique["key"]), until: unique["until"] as "started" | "final" | number },
    keep: keep === undefined ? undefined : keepOf(keep),
    attempt: number(record["attempt"]),
    failures: number(record["failures"]),
    crashes: number(record["crashes"]),
    fence: number(record["fence"]),
    settled: number(record["settled"]),
    reaped: record["reaped"] === true,
    owner: textIfAny(record["owner"]),
    startedAt: numberIfAny(record["startedAt"]),
    finishedAt: numberIfAny(record["finishedAt"]),
    bytes: bytesIfAny(record["bytes"]),
    reason: textIfAny(record["reason"]),
    cause: textIfAny(record["cause"]),
    line: line === undefined ? undefined : { gate: text(line["gate"]), place: number(line["place"]) },
  };
}

function gateOf(record: AnswerRecord): NewGate {
  return {
    kind: record["kind"] as NewGate["kind"],
    key: text(record["key"]),
    max: number(record["max"]),
    per: numberIfAny(record["per"]),
    onBusy: record["onBusy"] as NewGate["onBusy"],
  };
}

function keepOf(record: AnswerRecord): NewKeep {
  return {
    completed: numberIfAny(record["completed"]),
    failed: numberIfAny(record["failed"]),
    completedMax: numberIfAny(record["completedMax"]),
    failedMax: numberIfAny(record["failedMax"]),
  };
}

function joinOf(record: AnswerRecord): MovedJoin {
  return {
    kind: "join",
    id: text(record["id"]),
    named: record["named"] === true,
    place: undefined,
    mode: record["mode"] as MovedJoin["mode"],
    state: record["state"] as StoredState,
    enqueuedAt: number(record["enqueuedAt"]),
    finishedAt: numberIfAny(record["finishedAt"]),
    reason: textIfAny(record["reason"]),
    cause: textIfAny(record["cause"]),
  };
}

function edgeOf(record: AnswerRecord): MovedEdge {
  return {
    kind: "edge",
    source: text(record["source"]),
    target: text(record["target"]),
    position: number(record["position"]),
    on: record["on"] as MovedEdge["on"],
    member: textIfAny(record["member"]),
  };
}
