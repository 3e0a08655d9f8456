/** What came before a stage against what its bytes say: edges and groups are stored in the clear. */
import { createHash } from "node:crypto";
import { TaskqError } from "../errors.js";
import type { JoinSource, Source, StoredRecord } from "../storage.js";
import type { Engine } from "./engine-types.js";
import { readRecords } from "./read-records.js";
import type { MaybePromise } from "./maybe-promise.js";
import type { JobMessage } from "./message.js";

/** A job's id, or what a group consists of. */
type Member = string | { readonly mode: "all" | "settled"; readonly members: readonly Member[] };

/**
 * What a group consists of, as a hash: its members may be ten thousand.
 *
 * @param members the ids of its members, in order
 * @param groups the texts of the groups among them, by id
 */
export function membersText(
  mode: "all" | "settled",
  members: readonly string[],
  groups: ReadonlyMap<string, string>,
): string {
  const parts = members.map((id) => {
    const group = groups.get(id);
    return group === undefined ? id : [group];
  });
  return hashOf(mode, parts);
}

/**
 * Whether a stage was handed what it is to follow.
 *
 * @throws `TASKQ_SIGNATURE`; rejects with it where that takes a look into the storage
 */
export function checkSource(engine: Engine, message: JobMessage, source: Source): MaybePromise<void> {
  // An error handler is handed the job because of which its flow failed, which may be any of it.
  if (message.stage === "error") return undefined;
  if (source.state !== "completed") throw differs("it has not completed");
  if (source.id !== message.guards?.after[0]) throw differs("it is another one");
  if (source.kind === "job") {
    if (message.members !== undefined) throw differs("it is no group");
    return undefined;
  }
  if (message.members === undefined) throw differs("it is a group");
  if (message.members === textOf(memberOf(source))) return undefined;
  if (hasSettled(source)) return checkStandIns(engine, message, source);
  throw differs("its members are others");
}

/** Whether it is, or has within it, a group that goes on without its members. */
function hasSettled(source: Source): boolean {
  return source.kind === "join" && (source.mode === "settled" || source.members.some(hasSettled));
}

/** Where a member added a flow that failed, the job that failed stands for it: the group knows for which. */
async function checkStandIns(engine: Engine, message: JobMessage, source: JoinSource): Promise<void> {
  const stored = await storedMember(engine, source.id);
  if (stored === undefined || message.members !== textOf(stored) || !standsFor(source, stored)) {
    throw differs("its members are others");
  }
}

function standsFor(source: Source, member: Member): boolean {
  if (source.kind === "job") return source.id === member || source.state !== "completed";
  if (typeof member === "string") return source.state !== "completed";
  return (
    source.members.length === member.members.length &&
    source.members.every((part, index) => standsFor(part, member.members[index] as Member))
  );
}

async function storedMember(engine: Engine, id: string): Promise<Member | undefined> {
  const [record] = await readRecords(engine, [id]);
  return record === undefined ? undefined : memberOfRecord(engine, record);
}

async function memberOfRecord(engine: Engine, record: StoredRecord): Promise<Member> {
  if (record.kind === "job") return record.id;
  const members: Member[] = [];
  for (const [index, part] of (await readRecords(engine, record.members)).entries()) {
    members.push(part === undefined ? (record.members[index] as string) : await memberOfRecord(engine, part));
  }
  return { mode: record.mode, members };
}

function memberOf(source: Source): Member {
  return source.kind === "job" ? source.id : { mode: source.mode, members: source.members.map(memberOf) };
}

function textOf(member: Member): string {
  if (typeof member === "string") return member;
  const parts = member.members.map((part) => (typeof part === "string" ? part : [textOf(part)]));
  return hashOf(member.mode, parts);
}

function hashOf(mode: "all" | "settled", parts: readonly (string | readonly string[])[]): string {
  return createHash("sha256")
    .update(JSON.stringify([mode, parts]))
    .digest("base64url");
}

function differs(why: string): TaskqError {
  return new TaskqError(
    "TASKQ_SIGNATURE",
    `what came before the job differs from what its bytes say: ${why}`,
  );
}
