/** A serializer that knows its own bytes by a tag, and tells what it does not accept by throwing. */
import { createHmac } from "node:crypto";
import { jsonSerializer, type Serializer } from "@taskq/core";

const TAG = 32;

/** Bytes of JSON behind the name of a key (one letter) and a tag over them and where they belong. */
export function taggedSerializer(keys: Readonly<Record<string, string>>): Serializer {
  const inner = jsonSerializer();
  const [writing = ""] = Object.keys(keys);
  return {
    id: "tagged",
    encode(value, context) {
      const bytes = inner.encode(value, context);
      return Buffer.concat([Buffer.from(writing), tagOf(keys[writing], bytes, context), bytes]);
    },
    decode(bytes, context) {
      const key = keys[String.fromCharCode(bytes[0] ?? 0)];
      if (key === undefined) throw new Error("written under a key that is not known");
      const rest = bytes.subarray(1 + TAG);
      if (!tagOf(key, rest, context).equals(bytes.subarray(1, 1 + TAG))) throw new Error("the tag is wrong");
      return inner.decode(rest, context);
    },
  };
}

function tagOf(key: string | undefined, bytes: Uint8Array, context: object): Buffer {
  return createHmac("sha256", key ?? "")
    .update(JSON.stringify(context))
    .update(bytes)
    .digest();
}
