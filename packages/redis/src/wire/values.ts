/** Single values of an answer. */
import type { Answer, AnswerRecord } from "./unpack.js";

/** The items of a list; an empty table of Lua is an empty list. */
export function listOf<Item>(answer: Answer, item: (record: AnswerRecord) => Item): Item[] {
  return Array.isArray(answer) ? answer.map((one) => item(one as AnswerRecord)) : [];
}

export function textsOf(answer: Answer): string[] {
  return Array.isArray(answer) ? answer.map(String) : [];
}

export function text(answer: Answer): string {
  return answer as string;
}

export function textIfAny(answer: Answer): string | undefined {
  return typeof answer === "string" ? answer : undefined;
}

export function numberIfAny(answer: Answer): number | undefined {
  return typeof answer === "number" ? answer : undefined;
}

export function number(answer: Answer): number {
  return answer as number;
}

export function bytesIfAny(answer: Answer): Uint8Array | undefined {
  return answer as Uint8Array | undefined;
}
