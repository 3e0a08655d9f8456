/** What came before a job in its flow, as scripts tell it. */
import type { JoinSource, Source, StoredState } from "@taskq/core/storage";
import type { Answer, AnswerRecord } from "./unpack.js";
import { listOf, text, textIfAny, number, bytesIfAny } from "./values.js";

/** They come flat: a join, then its members. */
export function sourcesOf(answer: Answer): readonly Source[] | undefined {
  if (answer === undefined) return undefined;
  const records = listOf(answer, (record) => record);
  const sources: Source[] = [];
  const at = { place: 0 };
  while (at.place < records.length) sources.push(nextSource(records, at));
  return sources;
}

function nextSource(records: readonly AnswerRecord[], at: { place: number }): Source {
  const record = records[at.place] ?? {};
  at.place += 1;
  const count = record["members"];
  return typeof count === "number" ? joinSource(record, records, at, count) : jobSource(record);
}

function joinSource(
  record: AnswerRecord,
  records: readonly AnswerRecord[],
  at: { place: number },
  count: number,
): JoinSource {
  const members: Source[] = [];
  for (let index = 0; index < count; index += 1) members.push(nextSource(records, at));
  return {
    kind: "join",
    id: text(record["id"]),
    mode: record["mode"] as JoinSource["mode"],
    state: record["state"] as StoredState,
    reason: textIfAny(record["reason"]),
    cause: textIfAny(record["cause"]),
    members,
  };
}

function jobSource(record: AnswerRecord): Source {
  return {
    kind: "job",
    id: text(record["id"]),
    task: text(record["task"]),
    fence: number(record["fence"]),
    state: record["state"] as StoredState,
    attempt: number(record["attempt"]),
    bytes: bytesIfAny(record["bytes"]),
    left: record["left"] === true,
    reason: textIfAny(record["reason"]),
    cause: textIfAny(record["cause"]),
  };
}
