/** Varied messages: the same ones each time. */
import type { MessageContext } from "@taskq/core";

export interface Written {
  readonly context: MessageContext;
  readonly value: unknown;
}

const PURPOSES = ["task", "result", "error", "value", "event", "schedule", "note"] as const;
const TEXTS = ["a", "mail", "reports.daily", "Grüße", "名前", "🚀🚀", "a'b\"c", "x".repeat(63)];

/** Numbers that look random, from a seed (a linear congruential generator, Numerical Recipes). */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * below);
  };
}

export function variedMessages(count: number, seed = 20_261_121): Written[] {
  const next = numbers(seed);
  const text = (): string => TEXTS[next(TEXTS.length)] as string;
  return Array.from({ length: count }, (_, index) => {
    const purpose = PURPOSES[index % PURPOSES.length] as MessageContext["purpose"];
    const isOfRun = purpose === "result" || purpose === "error" || purpose === "note";
    const context: MessageContext = {
      purpose,
      namespace: ["taskq_", "taskq:", "other"][next(3)] as string,
      queue: text(),
      id: `${text()}-${index}`,
      ...(isOfRun || purpose === "task" ? { task: text() } : {}),
      ...(isOfRun ? { fence: next(2) === 0 ? next(1_000) : next(1_000) * 2 ** 43 + index } : {}),
      ...(purpose === "value" || purpose === "note" ? { key: text() } : {}),
    };
    return { context, value: valueOf(next, text) };
  });
}

function valueOf(next: (below: number) => number, text: () => string): unknown {
  switch (next(6)) {
    case 0:
      return undefined;
    case 1:
      return { to: text(), subject: text().repeat(1 + next(5)), urgent: next(2) === 0 };
    case 2:
      return new Map<string, unknown>([[text(), new Date(next(2 ** 31))]]);
    case 3:
      return Array.from({ length: next(40) }, () => next(1_000));
    case 4:
      return Uint8Array.from({ length: next(100) }, () => next(256));
    default:
      return next(2 ** 31);
  }
}

/** Contexts that differ from this one in one thing. */
export function otherContexts(context: MessageContext): MessageContext[] {
  const { task, fence, key } = context;
  return [
    ...PURPOSES.filter((purpose) => purpose !== context.purpose).map((purpose) => ({ ...context, purpose })),
    { ...context, namespace: `${context.namespace}x` },
    { ...context, queue: `${context.queue}x` },
    { ...context, id: `${context.id}x` },
    // The same texts, cut elsewhere.
    { ...context, namespace: context.namespace + firstOf(context.queue), queue: restOf(context.queue) },
    { ...context, queue: context.queue + firstOf(context.id), id: restOf(context.id) },
    withTask(context, task === undefined ? "x" : `${task}x`),
    withTask(context, task === undefined ? "" : undefined),
    withFence(context, fence === undefined ? 1 : fence + 1),
    withFence(context, fence === undefined ? 0 : undefined),
    withKey(context, key === undefined ? "x" : `${key}x`),
    withKey(context, key === undefined ? "" : undefined),
    ...(task === undefined ? [] : [{ ...withKey(context, task), task: key ?? "x" }]),
  ];
}

const firstOf = (text: string): string => String.fromCodePoint(text.codePointAt(0) ?? 0);
const restOf = (text: string): string => text.slice(firstOf(text).length);

function withTask(context: MessageContext, task: string | undefined): MessageContext {
  const { task: own, ...rest } = context;
  return task === undefined || task === own ? rest : { ...rest, task };
}

function withFence(context: MessageContext, fence: number | undefined): MessageContext {
  const { fence: own, ...rest } = context;
  return fence === undefined || fence === own ? rest : { ...rest, fence };
}

function withKey(context: MessageContext, key: string | undefined): MessageContext {
  const { key: own, ...rest } = context;
  return key === undefined || key === own ? rest : { ...rest, key };
}
