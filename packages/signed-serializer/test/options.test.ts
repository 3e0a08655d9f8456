import { randomBytes } from "node:crypto";
import { inspect } from "node:util";
import { compressed, jsonSerializer, TaskqError, type MessageContext } from "@taskq/core";
import { afterEach, describe, expect, test, vi } from "vitest";
import { signedSerializer, type SignedSerializerOptions } from "../src/index.ts";

const secret = "correct horse battery staple correct horse";
const context: MessageContext = { purpose: "task", namespace: "n", queue: "q", id: "7", task: "add" };

function refusal(options: unknown): TaskqError {
  try {
    signedSerializer(options as SignedSerializerOptions);
  } catch (error) {
    if (error instanceof TaskqError) return error;
    throw error;
  }
  throw new Error("it was accepted");
}

afterEach(() => {
  vi.useRealTimers();
});

describe("options", () => {
  test.each([
    [{ secret: "x".repeat(31) }, "signedSerializer: secret: expected at least 32 bytes, got 31; 'openssl"],
    [{ secret: new Uint8Array(16) }, "secret: expected at least 32 bytes, got 16"],
    [{ secret: 42 }, "secret: expected a text or bytes of at least 32 bytes, got a value of type number"],
    [
      {},
      "signedSerializer: expected keys or secret, got neither; the variable that it is read from may be unset",
    ],
    [{ secret: undefined }, "expected keys or secret, got neither"],
    [{ keys: undefined }, "expected keys or secret, got neither"],
    [{ keys: "a" }, "keys: expected a list of at least one key, got a value of type string"],
    [{ keys: [] }, "keys: expected a list of at least one key, got an empty list"],
    [{ keys: [{ id: "a", secret: "short" }] }, "keys[0].secret: expected at least 32 bytes, got 5"],
    [
      { keys: [{ id: "a b", secret }] },
      "keys[0].id: expected 1 to 64 letters, digits, '.', '_' or '-', got 'a b'",
    ],
    [
      {
        keys: [
          { id: "a", secret },
          { id: "a", secret },
        ],
      },
      "keys[1].id: two keys have the id 'a'",
    ],
    [{ keys: [secret] }, "keys[0]: expected an object with id and secret, got a value of type string"],
    [{ keys: [{ id: "a", secret }], secret }, "expected keys or secret, got both"],
    [{ secret, encrypt: "yes" }, "encrypt: expected true or false, got 'yes'"],
    [{ secret, acceptUnsigned: 1 }, "acceptUnsigned: expected true or false, got 1"],
    [{ secret, maxAge: "soon" }, "maxAge: expected a duration such as"],
    [{ secret, maxAge: 0 }, "maxAge: expected a duration of at least 1 ms, got 0"],
    [{ secret, serializer: {} }, "serializer: expected a serializer with encode() and decode(), got {}"],
    [{ secret, nameSecret: secret }, "nameSecret is of use only with encrypt: true"],
    [{ secret, encrypt: true, nameSecret: "x" }, "nameSecret: expected at least 32 bytes, got 1"],
    [{ secret, logger: {} }, "logger: expected a logger with warn(), got {}"],
    [{ secret, sign: true }, "unknown option 'sign'"],
  ])("%j is refused", (options, message) => {
    const error = refusal(options);
    expect(error.code).toBe("TASKQ_OPTION");
    expect(error.message).toContain(message);
  });

  test("a serializer that signs is not signed again", () => {
    expect(refusal({ secret, serializer: signedSerializer({ secret }) }).message).toContain(
      "expected one that is not signed itself, got 'json+signed'",
    );
  });

  test("no refusal tells a secret", () => {
    const short = "topsecret".repeat(3);
    for (const options of [
      short,
      { secret: short },
      { keys: short },
      { keys: [short] },
      { keys: [{ id: "a", secret: short }] },
      { secret: [short] },
      { secret, encrypt: true, nameSecret: short },
    ]) {
      const error = refusal(options);
      expect(`${error.message} ${error.stack} ${inspect(error, { depth: 9 })}`).not.toContain("topsecret");
    }
  });

  test("neither the serializer nor a refused message shows a secret", () => {
    const bytes = Buffer.from(secret);
    const serializer = signedSerializer({ secret: bytes, encrypt: true });
    const shown = [inspect(serializer, { depth: 9, showHidden: true }), JSON.stringify(serializer)];
    try {
      serializer.decode(new TextEncoder().encode("{}"), context);
    } catch (error) {
      shown.push(inspect(error, { depth: 9, showHidden: true }));
    }
    expect(shown).toHaveLength(3);
    for (const text of shown) {
      expect(text).not.toContain(secret);
      expect(text).not.toContain(bytes.toString("hex"));
      expect(text).not.toContain("63 6f 72 72 65 63 74");
    }
  });

  test("bytes of a secret may be changed once they were given", () => {
    const own = randomBytes(32);
    const serializer = signedSerializer({ secret: own });
    const same = signedSerializer({ secret: Buffer.from(own) });
    own.fill(0);
    expect(same.decode(serializer.encode(5, context), context)).toBe(5);
  });

  test("a secret is short for one key with the id 'default'", () => {
    const bytes = signedSerializer({ secret }).encode(5, context);
    const keys = [
      { id: "newer", secret: "another secret, of more than 32 bytes" },
      { id: "default", secret },
    ];
    expect(signedSerializer({ keys }).decode(bytes, context)).toBe(5);
  });
});

describe("keys", () => {
  const old = { id: "old", secret: "an older secret of the tests, over 32 bytes" };
  const recent = { id: "recent", secret: "a newer secret of the tests, over 32 bytes" };

  test("the first key signs, all of them verify", () => {
    const before = signedSerializer({ keys: [old] });
    const both = signedSerializer({ keys: [recent, old] });
    const after = signedSerializer({ keys: [recent] });
    expect(both.decode(before.encode(1, context), context)).toBe(1);
    expect(after.decode(both.encode(2, context), context)).toBe(2);
    expect(() => after.decode(before.encode(1, context), context)).toThrow("unknown key, 'old'");
    expect(() => before.decode(both.encode(2, context), context)).toThrow("unknown key, 'recent'");
  });

  test("each purpose has keys of its own", () => {
    const serializer = signedSerializer({ keys: [recent] });
    const bytes = serializer.encode(1, context);
    expect(() => serializer.decode(bytes, { ...context, purpose: "event" })).toThrow(
      "signature does not fit",
    );
  });
});

describe("maxAge", () => {
  const serializer = signedSerializer({ secret, maxAge: "1h" });

  test("jobs and values that were signed longer ago are refused", () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    for (const purpose of ["task", "value"] as const) {
      const bytes = serializer.encode(5, { ...context, purpose });
      vi.setSystemTime(Date.now() + 3_600_000);
      expect(serializer.decode(bytes, { ...context, purpose })).toBe(5);
      vi.setSystemTime(Date.now() + 1);
      expect(() => serializer.decode(bytes, { ...context, purpose })).toThrow(
        "it was signed 3600001 ms ago; the longest is 3600000 ms",
      );
      expect(signedSerializer({ secret }).decode(bytes, { ...context, purpose })).toBe(5);
    }
  });

  test("results, errors, notes and schedules have no age", () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    for (const purpose of ["result", "error", "note", "schedule", "event"] as const) {
      const bytes = serializer.encode(5, { ...context, purpose });
      vi.setSystemTime(Date.now() + 86_400_000);
      expect(serializer.decode(bytes, { ...context, purpose })).toBe(5);
    }
  });
});

describe("unsigned messages", () => {
  const bytes = jsonSerializer().encode({ a: 1 }, context);

  test("are refused", () => {
    expect(() => signedSerializer({ secret }).decode(bytes, context)).toThrow(
      "task 'add', id '7': it is not signed",
    );
    expect(() => signedSerializer({ secret }).decode(new Uint8Array(), context)).toThrow("it is not signed");
  });

  test("are read with acceptUnsigned, and logged each time, without what is in them", () => {
    const told: unknown[] = [];
    const logger = { warn: (message: unknown) => void told.push(message) };
    const serializer = signedSerializer({ secret, acceptUnsigned: true, logger });
    expect(serializer.decode(bytes, context)).toEqual({ a: 1 });
    expect(serializer.decode(bytes, context)).toEqual({ a: 1 });
    expect(told).toEqual(Array(2).fill("taskq: an unsigned message was accepted: task, queue 'q', id '7'"));
    // What is signed is verified all the same.
    const forged = serializer.encode(5, context);
    forged[forged.length - 1]! ^= 1;
    expect(() => serializer.decode(forged, context)).toThrow("signature does not fit");
    expect(serializer.decode(serializer.encode(5, context), context)).toBe(5);
    expect(told).toHaveLength(2);
  });

  test.each<[what: string, warn: () => unknown]>([
    [
      "throws",
      () => {
        throw new Error("the disk is full");
      },
    ],
    ["rejects", () => Promise.reject(new Error("the disk is full"))],
  ])("are read though the logger %s, and the process warns", async (_what, warn) => {
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    const serializer = signedSerializer({ secret, acceptUnsigned: true, logger: { warn } });
    expect(serializer.decode(bytes, context)).toEqual({ a: 1 });
    expect(await warned).toMatchObject({ name: "TaskqWarning", code: "TASKQ_UNSIGNED" });
  });

  test("without a logger the process warns", async () => {
    const warned = new Promise<Error>((resolve) => process.once("warning", resolve));
    signedSerializer({ secret, acceptUnsigned: true }).decode(bytes, context);
    expect(await warned).toMatchObject({ name: "TaskqWarning", code: "TASKQ_UNSIGNED" });
  });
});

describe("encrypt", () => {
  const hiding = signedSerializer({ secret, encrypt: true });
  const value = { card: "4111 1111 1111 1111" };

  test("the content is in none of the bytes, and differs each time", () => {
    const first = Buffer.from(hiding.encode(value, context));
    expect(first.includes("4111")).toBe(false);
    expect(first.includes("card")).toBe(false);
    expect(Buffer.from(signedSerializer({ secret }).encode(value, context)).includes("4111 1111")).toBe(true);
    const second = Buffer.from(hiding.encode(value, context));
    expect(first.subarray(-120, -32).equals(second.subarray(-120, -32))).toBe(false);
    expect(hiding.decode(first, context)).toEqual(value);
  });

  test("may be turned on and off while messages are under way", () => {
    const plain = signedSerializer({ secret });
    expect(plain.decode(hiding.encode(value, context), context)).toEqual(value);
    expect(hiding.decode(plain.encode(value, context), context)).toEqual(value);
  });

  test("names become hashes that only the key makes, the same for the same name of a queue", () => {
    const { hideName } = hiding.seal!;
    const hidden = hideName!("anna@example.org", "mail");
    expect(hidden).toMatch(/^#[\w-]{43}$/);
    expect(hideName!("anna@example.org", "mail")).toBe(hidden);
    expect(hideName!("anna@example.org", "other")).not.toBe(hidden);
    expect(hideName!("bert@example.org", "mail")).not.toBe(hidden);
    const other = signedSerializer({ secret: `${secret}!`, encrypt: true });
    expect(other.seal!.hideName!("anna@example.org", "mail")).not.toBe(hidden);
    expect(signedSerializer({ secret }).seal!.hideName).toBeUndefined();
  });

  test("with a nameSecret names are the same under every key", () => {
    const nameSecret = randomBytes(32);
    const [first, second] = ["one", "two"].map((id) =>
      signedSerializer({ keys: [{ id, secret: secret + id }], encrypt: true, nameSecret }).seal!.hideName!(
        "a",
        "q",
      ),
    );
    expect(first).toBe(second);
  });
});

describe("compressed", () => {
  const text = "lorem ipsum dolor sit amet ".repeat(400);

  test("goes inside the signature, in whatever order it is written", () => {
    const outside = compressed(signedSerializer({ secret }));
    const inside = signedSerializer({ secret, serializer: compressed(jsonSerializer()) });
    expect(outside.id).toBe(inside.id);
    for (const [writer, reader] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      const bytes = writer.encode(text, context);
      expect(bytes[0]).toBe(0xfd);
      expect(bytes.length).toBeLessThan(500);
      expect(reader.decode(bytes, context)).toBe(text);
    }
  });

  test("nothing is inflated that was not verified", () => {
    let inflated = 0;
    const inner = compressed(jsonSerializer());
    const counting = {
      ...inner,
      decode: (bytes: Uint8Array, where: MessageContext): unknown => {
        inflated += 1;
        return inner.decode(bytes, where);
      },
    };
    const serializer = signedSerializer({ secret, serializer: counting });
    const bytes = Uint8Array.from(serializer.encode(text, context));
    bytes[bytes.length - 40]! ^= 1;
    expect(() => serializer.decode(bytes, context)).toThrow("signature does not fit");
    expect(() => serializer.decode(inner.encode(text, context), context)).toThrow("it is not signed");
    expect(() =>
      compressed(signedSerializer({ secret })).decode(inner.encode(text, context), context),
    ).toThrow("it is not signed");
    expect(inflated).toBe(0);
  });

  test("a bomb that was signed is inflated up to the limit only", () => {
    const large = signedSerializer({
      secret,
      serializer: compressed(jsonSerializer({ maxSize: 50_000_000 })),
    });
    const small = compressed(signedSerializer({ secret, serializer: jsonSerializer({ maxSize: 10_000 }) }));
    const bytes = large.encode("x".repeat(20_000_000), context);
    expect(() => small.decode(bytes, context)).toThrow(
      "takes at least 10001 bytes; the limit is 10000 bytes",
    );
  });

  test("what is longer than any message may be is refused before it is hashed", () => {
    const serializer = signedSerializer({ secret });
    const bytes = Buffer.alloc(50_000_000, 0xfd);
    expect(() => serializer.decode(bytes, context)).toThrow("takes 50000000 bytes; the limit is");
  });
});

test("names that are no well-formed text are refused, since two of them had the same bytes", () => {
  const serializer = signedSerializer({ secret });
  const value: MessageContext = { purpose: "value", namespace: "n", queue: "q", id: "k", key: "\ud800" };
  expect(() => serializer.encode(1, value)).toThrow("expected well-formed text");
});
