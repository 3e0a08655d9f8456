/** `queue.values`. */
import { TaskqError } from "../errors.js";
import { milliseconds } from "../duration.js";
import { finiteNumber, refuseUnknown, shortText } from "../options.js";
import type { ValueAnswer, ValueOperation } from "../storage.js";
import type { MessageContext } from "../serializer/serializer.js";
import type { ValueOptions, Values } from "../vocabulary/values.js";
import type { Engine } from "./engine-types.js";
import { ValuesTogether } from "./values-together.js";

const LONGEST_KEY = 512;

export function createValues(engine: Engine): Values {
  const together = new ValuesTogether(engine);
  /** Carries out operations in one step. Answers the last. */
  const ask = async (...operations: readonly ValueOperation[]): Promise<ValueAnswer> => {
    const opening = engine.open();
    if (opening !== undefined) await opening;
    return together.ask(operations);
  };
  const encode = (key: string, value: unknown): Uint8Array =>
    engine.serializer.encode(value, contextOf(engine, key));
  const read = async (kind: "get" | "take", key: string): Promise<unknown> => {
    const answer = await ask({ kind, key: checkedKey(key) });
    if (answer.kind === "number") return answer.number;
    return answer.kind === "bytes"
      ? engine.serializer.decode(answer.bytes, contextOf(engine, key))
      : undefined;
  };
  const changed = async (operation: ValueOperation): Promise<boolean> => {
    const answer = await ask(operation);
    return answer.kind === "done" && answer.changed;
  };
  /** What makes a number that was set one that can be counted on; nothing where there is none by now. */
  const setNumber = async (key: string, by: number): Promise<readonly ValueOperation[]> => {
    const answer = await ask({ kind: "get", key });
    if (answer.kind !== "bytes") {
      checkSum(key, answer.kind === "number" ? answer.number : 0, by);
      return [];
    }
    const { bytes } = answer;
    const number = finiteOf(engine.serializer.decode(bytes, contextOf(engine, key)));
    if (number !== undefined) return [{ kind: "as-number", key, bytes, number }];
    throw new TaskqError(
      "TASKQ_NOT_A_NUMBER",
      `increment: expected the value '${key}' to be a number, got one of another kind`,
    );
  };
  return {
    async set(key, value, options) {
      const bytes = encode(checkedKey(key), value);
      await ask({ kind: "set", key, bytes, expiresAt: expiryOf(engine, options) });
    },
    get: <Value>(key: string) => read("get", key) as Promise<Value | undefined>,
    take: <Value>(key: string) => read("take", key) as Promise<Value | undefined>,
    async setIfAbsent(key, value, options) {
      const bytes = encode(checkedKey(key), value);
      return changed({ kind: "set-if-absent", key, bytes, expiresAt: expiryOf(engine, options) });
    },
    delete: async (key) => changed({ kind: "delete", key: checkedKey(key) }),
    async compareAndDelete(key, expected) {
      const seal = engine.serializer.seal;
      const deletion = { kind: "compare-and-delete", key, number: finiteOf(expected) } as const;
      if (seal === undefined) return changed({ ...deletion, bytes: encode(checkedKey(key), expected) });
      const context = contextOf(engine, checkedKey(key));
      const wanted = seal.inner.encode(expected, context);
      for (;;) {
        const answer = await ask({ kind: "get", key });
        if (answer.kind === "number") return changed({ ...deletion, bytes: wanted });
        if (answer.kind !== "bytes") return false;
        const { bytes } = answer;
        if (Buffer.compare(seal.open(bytes, context).content, wanted) !== 0) return false;
        if (await changed({ ...deletion, bytes })) return true;
        // Somebody set it meanwhile, to the same perhaps.
      }
    },
    async increment(key, by = 1, options) {
      finiteNumber(by, "increment by");
      const expiresAt = expiryOf(engine, options);
      const increment = { kind: "increment", key: checkedKey(key), by, expiresAt } as const;
      let answer = await ask(increment);
      while (answer.kind !== "number") answer = await ask(...(await setNumber(key, by)), increment);
      return answer.number;
    },
  };
}

/** Beyond, what is added would be lost without a word. @throws `TASKQ_NOT_A_NUMBER` */
function checkSum(key: string, number: number, by: number): void {
  if (Math.abs(number + by) <= Number.MAX_SAFE_INTEGER) return;
  throw new TaskqError(
    "TASKQ_NOT_A_NUMBER",
    `increment: expected the sum of the value '${key}' to stay within ${Number.MAX_SAFE_INTEGER}, got ${number} and ${by}`,
  );
}

function finiteOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

/** Where a value belongs. */
export function contextOf(engine: Engine, key: string): MessageContext {
  return { purpose: "value", namespace: engine.storage.namespace, queue: engine.name, id: key, key };
}

function checkedKey(key: string): string {
  return shortText(key, LONGEST_KEY, "value key");
}

function expiryOf(engine: Engine, options: ValueOptions | undefined): number | undefined {
  if (options === undefined) return undefined;
  refuseUnknown(options, ["ttl"], "value");
  return options.ttl === undefined ? undefined : engine.time.now() + milliseconds(options.ttl, "value ttl");
}
