import { compressed, jsonSerializer, TaskqError, type MessageContext, type Serializer } from "@taskq/core";
import { describe, expect, test } from "vitest";
import { signedSerializer } from "../src/index.ts";
import { otherContexts, variedMessages } from "./support/messages.ts";

/** `pnpm run forgery` alters a thousand. */
const MESSAGES = Number(process.env["TASKQ_FORGED_MESSAGES"] ?? 14);
const PATIENCE = 10_000 + MESSAGES * 500;
const OLD = { id: "old", secret: "an older secret of the tests, over 32 bytes" };
const NEW = { id: "new", secret: "a newer secret of the tests, over 32 bytes" };
const serializers: readonly { readonly name: string; readonly serializer: Serializer }[] = [
  { name: "signed", serializer: signedSerializer({ keys: [NEW, OLD] }) },
  { name: "encrypted", serializer: signedSerializer({ keys: [NEW, OLD], encrypt: true }) },
  {
    name: "signed and compressed",
    serializer: signedSerializer({
      keys: [NEW, OLD],
      serializer: compressed(jsonSerializer(), { over: 40 }),
    }),
  },
];

/** What is accepted is answered; a refusal is a TaskqError of the signature. */
function accepted(serializer: Serializer, bytes: Uint8Array, context: MessageContext): boolean {
  try {
    serializer.decode(bytes, context);
    return true;
  } catch (error) {
    if (
      error instanceof TaskqError &&
      (error.code === "TASKQ_SIGNATURE" || error.code === "TASKQ_TOO_LARGE")
    ) {
      return false;
    }
    throw error;
  }
}

describe.each(serializers)("forged messages, $name", ({ serializer }) => {
  const written = variedMessages(MESSAGES).map(({ context, value }) => ({
    context,
    value,
    bytes: serializer.encode(value, context),
  }));

  test("what was written is read as it was", () => {
    for (const { context, value, bytes } of written) {
      expect(serializer.decode(bytes, context)).toStrictEqual(value);
    }
  });

  test(
    "no message with one bit flipped is accepted",
    () => {
      let flipped = 0;
      let taken = 0;
      const limit = Error.stackTraceLimit;
      Error.stackTraceLimit = 0;
      for (const { context, bytes } of written) {
        const forged = Uint8Array.from(bytes);
        for (let bit = 0; bit < forged.length * 8; bit += 1) {
          forged[bit >> 3]! ^= 1 << (bit & 7);
          flipped += 1;
          if (accepted(serializer, forged, context)) taken += 1;
          forged[bit >> 3]! ^= 1 << (bit & 7);
        }
      }
      Error.stackTraceLimit = limit;
      expect(taken).toBe(0);
      expect(flipped).toBeGreaterThan(MESSAGES * 800);
      if (MESSAGES > 100) console.log(`${flipped} bit flips of ${MESSAGES} messages, ${taken} accepted`);
    },
    PATIENCE,
  );

  test(
    "no message that is cut off or goes on is accepted",
    () => {
      const [tail] = written;
      for (const { context, bytes } of written.slice(0, 100)) {
        for (let length = 0; length < bytes.length; length += 1) {
          expect(accepted(serializer, bytes.subarray(0, length), context)).toBe(false);
          expect(accepted(serializer, bytes.subarray(bytes.length - length), context)).toBe(false);
        }
        for (const more of [Uint8Array.of(0), bytes, bytes.subarray(0, 32), tail!.bytes]) {
          expect(accepted(serializer, Buffer.concat([bytes, more]), context)).toBe(false);
        }
      }
    },
    PATIENCE,
  );

  test("no message is accepted in another place: purpose, namespace, queue, id, task, run or key", () => {
    let swaps = 0;
    for (const { context, bytes } of written) {
      for (const other of otherContexts(context)) {
        if (JSON.stringify(other) === JSON.stringify(context)) continue;
        expect({ other, accepted: accepted(serializer, bytes, other) }).toEqual({ other, accepted: false });
        swaps += 1;
      }
    }
    for (const one of written.slice(0, 100)) {
      for (const other of written.slice(0, 100)) {
        if (one === other) continue;
        expect(accepted(serializer, one.bytes, other.context)).toBe(false);
        swaps += 1;
      }
    }
    expect(swaps).toBeGreaterThan(MESSAGES * 10);
  });

  test("parts of two messages make no third one", () => {
    for (const [index, { context, bytes }] of written.entries()) {
      const other = written[(index + 7) % written.length]!;
      for (const tail of [16, 32, 48, 64, 100]) {
        const spliced = Buffer.concat([bytes.subarray(0, -tail), other.bytes.subarray(-tail)]);
        // Short ones begin with the same bytes.
        if (spliced.equals(bytes) || spliced.equals(other.bytes)) continue;
        expect(accepted(serializer, spliced, context)).toBe(false);
        expect(accepted(serializer, spliced, other.context)).toBe(false);
      }
    }
  });

  test("what another secret signed under the same key id is not accepted", () => {
    const impostor = signedSerializer({
      keys: [{ id: "new", secret: "some other secret, of more than 32 bytes" }],
    });
    for (const { context, value } of written) {
      expect(accepted(serializer, impostor.encode(value, context), context)).toBe(false);
    }
  });

  test("a message says why it is refused", () => {
    const context: MessageContext = {
      purpose: "result",
      namespace: "n",
      queue: "q",
      id: "7",
      task: "add",
      fence: 3,
    };
    const bytes = serializer.encode(5, context);
    const why = (changed: Uint8Array, where: MessageContext = context): string => {
      try {
        return String(serializer.decode(changed, where));
      } catch (error) {
        return (error as Error).message;
      }
    };
    const altered = Uint8Array.from(bytes);
    altered[40]! ^= 1;
    expect(why(altered)).toBe(
      "result 'add', id '7': its signature does not fit: it was forged, altered, or is of another purpose",
    );
    expect(why(bytes, { ...context, id: "8" })).toBe("result 'add', id '8': it was signed for another id");
    expect(why(bytes, { ...context, queue: "p" })).toContain("for another queue");
    expect(why(bytes, { ...context, namespace: "p" })).toContain("for another namespace");
    expect(why(bytes, { ...context, task: "sub" })).toContain("for another task");
    expect(why(bytes, { ...context, fence: 4 })).toContain("for another run");
    expect(why(bytes.subarray(0, 20))).toContain("its bytes are cut off");
    expect(why(new TextEncoder().encode('{"a":1}'))).toContain("it is not signed");
    const stranger = signedSerializer({
      keys: [{ id: "third", secret: "some other secret, of more than 32 bytes" }],
    });
    expect(why(stranger.encode(5, context))).toContain("it was signed with an unknown key, 'third'");
    const newer = Uint8Array.from(bytes);
    newer[1] = 2;
    expect(why(newer)).toContain("its envelope is of an unknown version, 2");
  });
});
