import { serializerSuite } from "@taskq/conformance";
import { compressed, jsonSerializer } from "@taskq/core";
import { describe, test } from "vitest";
import { signedSerializer } from "../src/index.ts";

const runner = { describe, test };
const secret = "a secret of the tests, with more than 32 bytes";

serializerSuite({ runner, name: "signed", create: () => signedSerializer({ secret }) });
serializerSuite({ runner, name: "encrypted", create: () => signedSerializer({ secret, encrypt: true }) });
serializerSuite({
  runner,
  name: "signed and compressed",
  create: () => compressed(signedSerializer({ secret }), { over: 64 }),
});
serializerSuite({
  runner,
  name: "signed around compressed",
  create: () => signedSerializer({ secret, serializer: compressed(jsonSerializer(), { over: 64 }) }),
});
