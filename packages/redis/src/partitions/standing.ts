/** How a leaving queue stands, of one partition and of all together. */
import { type ExportAnswer, type ExportRequest, type QueuePhase } from "@taskq/core/storage";
import { SCRIPTS } from "../lua/scripts.js";
import { leaving } from "../moving.js";
import { numberIfAny, textIfAny } from "../wire/values.js";
import type { AnswerRecord } from "../wire/unpack.js";
import type { DividedQueue } from "./divided-queue.js";

export type Standing = Omit<ExportAnswer, "records" | "cursor" | "counts">;

/** What the script reads beside what the contract says. */
export interface ScriptRequest {
  readonly kind: ExportRequest["kind"];
  readonly now?: number | undefined;
  /** Of a beginning: something runs in another partition. */
  readonly busy?: boolean;
  readonly departure?: string;
  readonly destination?: string | undefined;
  readonly cursor?: string | undefined;
  readonly limit?: number;
}

export async function standingAt(
  queue: DividedQueue,
  number: number,
  request: ScriptRequest,
  name: string | undefined,
): Promise<Standing> {
  const asked = { ...request, queue: queue.name };
  const script = request.kind === "page" ? SCRIPTS.export : leaving;
  const { answer } = await queue.queue(number).ask(script, asked, { name });
  return standingOf(answer);
}

function standingOf(answer: AnswerRecord): Standing {
  return {
    phase: answer["phase"] as QueuePhase,
    epoch: answer["epoch"] as number,
    departure: textIfAny(answer["departure"]),
    destination: textIfAny(answer["destination"]),
    active: numberIfAny(answer["active"]) ?? 0,
    still: answer["still"] === true,
  };
}

export function together(home: Standing, rest: readonly Standing[]): Standing {
  const all = [home, ...rest];
  return {
    ...home,
    epoch: Math.max(...all.map(({ epoch }) => epoch)),
    active: all.reduce((sum, { active }) => sum + active, 0),
    still: all.every(({ still }) => still),
  };
}
