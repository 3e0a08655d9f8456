/** Answers of the scripts as the contract has them: every name is there, whatever the script left out. */
import type {
  AttemptRecord,
  ClaimedJob,
  ExplainCause,
  ExplainFact,
  FinalEvent,
  FinalState,
  GateVerdict,
  JobDetail,
  JobEffect,
  JobRecord,
  JoinRecord,
  KeyHolder,
  NoteRecord,
  ReapedRun,
  RunReference,
  ScheduleRecord,
  StoredFlow,
  StoredRecord,
  StoredState,
  ValueAnswer,
} from "@taskq/core/storage";
import { sourcesOf } from "./sources.js";
import type { Answer, AnswerRecord } from "./unpack.js";
import { listOf, textsOf, text, textIfAny, numberIfAny, number, bytesIfAny } from "./values.js";

/** A list, since there may be many. */
export function effectOf(answer: AnswerRecord): JobEffect {
  const [id, task, kind, attempt, reason, cause, gate] = answer as unknown as readonly Answer[];
  return {
    id: text(id),
    task: text(task),
    kind: kind as JobEffect["kind"],
    reason: textIfAny(reason),
    cause: textIfAny(cause),
    gate: textIfAny(gate),
    attempt: number(attempt),
  };
}

export function storedFlowOf(record: AnswerRecord): StoredFlow {
  return {
    status: record["status"] as StoredFlow["status"],
    id: text(record["id"]),
    state: record["state"] as StoredState,
  };
}

export function runOf(record: AnswerRecord): RunReference {
  return { id: text(record["id"]), fence: number(record["fence"]) };
}

export function claimedOf(record: AnswerRecord): ClaimedJob {
  const guards = record["guards"] as AnswerRecord | undefined;
  const verdict = record["verdict"] as AnswerRecord | undefined;
  return {
    id: text(record["id"]),
    task: text(record["task"]),
    fence: number(record["fence"]),
    attempt: number(record["attempt"]),
    failures: number(record["failures"]),
    crashes: number(record["crashes"]),
    priority: number(record["priority"]),
    enqueuedAt: number(record["enqueuedAt"]),
    due: number(record["due"]),
    expiresAt: numberIfAny(record["expiresAt"]),
    delivery: record["once"] === true ? "at-most-once" : "at-least-once",
    body: record["body"] as Uint8Array,
    begun: record["begun"] === true,
    leaseUntil: number(record["leaseUntil"]),
    verdict: verdict === undefined ? undefined : verdictOf(verdict),
    sources: sourcesOf(record["sources"]),
    guards:
      guards === undefined
        ? undefined
        : {
            gates: textsOf(guards["gates"]),
            unique: textIfAny(guards["unique"]),
            after: textsOf(guards["after"]),
          },
  };
}

function verdictOf(record: AnswerRecord): GateVerdict {
  return {
    kind: record["kind"] as GateVerdict["kind"],
    gate: text(record["gate"]),
    gateKind: record["gateKind"] as GateVerdict["gateKind"],
  };
}

export function reapedOf(record: AnswerRecord): ReapedRun {
  return {
    ...runOf(record),
    task: text(record["task"]),
    attempt: number(record["attempt"]),
    begun: record["begun"] === true,
    state: record["state"] as StoredState | FinalState,
  };
}

export function recordOf(record: AnswerRecord): StoredRecord {
  return record["kind"] === "join" ? joinRecord(record) : jobRecordOf(record);
}

export function jobRecordOf(record: AnswerRecord): JobRecord {
  const detail = record["detail"] as AnswerRecord | undefined;
  return {
    kind: "job",
    id: text(record["id"]),
    task: text(record["task"]),
    state: record["state"] as StoredState,
    priority: number(record["priority"]),
    enqueuedAt: number(record["enqueuedAt"]),
    due: number(record["due"]),
    expiresAt: numberIfAny(record["expiresAt"]),
    attempt: number(record["attempt"]),
    failures: number(record["failures"]),
    crashes: number(record["crashes"]),
    fence: number(record["fence"]),
    owner: textIfAny(record["owner"]),
    startedAt: numberIfAny(record["startedAt"]),
    finishedAt: numberIfAny(record["finishedAt"]),
    bytes: bytesIfAny(record["bytes"]),
    reason: textIfAny(record["reason"]),
    cause: textIfAny(record["cause"]),
    gate: textIfAny(record["gate"]),
    detail: detail === undefined ? undefined : detailOf(detail),
  };
}

function detailOf(record: AnswerRecord): JobDetail {
  const progress = record["progress"] as AnswerRecord | undefined;
  return {
    body: record["body"] as Uint8Array,
    attempts: listOf(record["attempts"], attemptOf),
    progress: progress === undefined ? undefined : noteOf(progress),
    before: textsOf(record["before"]),
    after: textsOf(record["after"]),
  };
}

export function attemptOf(record: AnswerRecord): AttemptRecord {
  return {
    attempt: number(record["attempt"]),
    fence: number(record["fence"]),
    owner: text(record["owner"]),
    startedAt: number(record["startedAt"]),
    endedAt: numberIfAny(record["endedAt"]),
    error: bytesIfAny(record["error"]),
  };
}

export function noteOf(record: AnswerRecord): NoteRecord {
  return {
    kind: record["kind"] as NoteRecord["kind"],
    time: number(record["time"]),
    attempt: number(record["attempt"]),
    fence: number(record["fence"]),
    bytes: record["bytes"] as Uint8Array,
  };
}

function joinRecord(record: AnswerRecord): JoinRecord {
  return {
    kind: "join",
    id: text(record["id"]),
    mode: record["mode"] as JoinRecord["mode"],
    state: record["state"] as StoredState,
    members: textsOf(record["members"]),
    reason: textIfAny(record["reason"]),
    cause: textIfAny(record["cause"]),
    enqueuedAt: number(record["enqueuedAt"]),
    finishedAt: numberIfAny(record["finishedAt"]),
  };
}

export function eventOf(record: AnswerRecord): FinalEvent {
  return {
    id: text(record["id"]),
    task: text(record["task"]),
    state: record["state"] as FinalState,
    attempt: number(record["attempt"]),
    fence: number(record["fence"]),
    time: number(record["time"]),
    startedAt: numberIfAny(record["startedAt"]),
    reason: textIfAny(record["reason"]),
    error: bytesIfAny(record["error"]),
  };
}

export function scheduleOf(record: AnswerRecord): ScheduleRecord {
  return {
    name: text(record["name"]),
    origin: record["origin"] as ScheduleRecord["origin"],
    task: text(record["task"]),
    bytes: record["bytes"] as Uint8Array,
    paused: record["paused"] === true,
    lastAt: number(record["lastAt"]),
    lastId: textIfAny(record["lastId"]),
  };
}

export function valueOf(record: AnswerRecord): ValueAnswer {
  switch (record["kind"]) {
    case "bytes":
      return { kind: "bytes", bytes: record["bytes"] as Uint8Array };
    case "number":
      return { kind: "number", number: number(record["number"]) };
    case "done":
      return { kind: "done", changed: record["changed"] === true };
    case "not-a-number":
      return { kind: "not-a-number" };
    default:
      return { kind: "none" };
  }
}

export function holderOf(record: AnswerRecord): KeyHolder {
  return {
    owner: text(record["owner"]),
    fence: number(record["fence"]),
    expiresAt: number(record["expiresAt"]),
  };
}

export function factOf(record: AnswerRecord): ExplainFact {
  return {
    id: text(record["id"]),
    state: record["state"] as ExplainFact["state"],
    task: textIfAny(record["task"]),
    causes: listOf(record["causes"], causeOf),
  };
}

function causeOf(record: AnswerRecord): ExplainCause {
  const code = record["code"] as ExplainCause["code"];
  switch (code) {
    case "not-due":
    case "expired":
      return { code, at: number(record["at"]) };
    case "blocked":
      return { code, by: textsOf(record["by"]) };
    case "locked":
    case "limited":
    case "no-slot":
      return {
        code,
        gate: text(record["gate"]),
        holders: textsOf(record["holders"]),
        ahead: number(record["ahead"]),
        opensAt: numberIfAny(record["opensAt"]),
      };
    case "paused":
    case "revoked":
    case "no-consumer":
      return { code, task: textIfAny(record["task"]) };
    case "waiting":
      return { code, ahead: number(record["ahead"]) };
    case "running":
      return {
        code,
        owner: text(record["owner"]),
        since: number(record["since"]),
        leaseUntil: numberIfAny(record["leaseUntil"]),
      };
    case "retrying":
      return { code, failures: number(record["failures"]), at: number(record["at"]) };
    case "crashed":
      return { code, crashes: number(record["crashes"]) };
    case "final":
      return { code, reason: textIfAny(record["reason"]), cause: textIfAny(record["cause"]) };
  }
}
