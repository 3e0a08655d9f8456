/** `@taskq/core`, with queues that sign, or encrypt, their messages: see vitest.behaviour.config.ts. */
import { createQueue as createPlainQueue, type Serializer } from "@taskq/core";
import { signedSerializer } from "@taskq/signed-serializer";

export * from "@taskq/core";

const signing = signedSerializer({
  secret: "a secret of the behaviour tests, of more than 32 bytes",
  encrypt: process.env["TASKQ_SERIALIZER"] === "encrypted",
});
// The tests read names of locks and limits in messages and events.
const serializer: Serializer =
  signing.seal === undefined ? signing : { ...signing, seal: { ...signing.seal, hideName: undefined } };

type Options = Parameters<typeof createPlainQueue>[0];

export const createQueue = (options: Options): unknown => createPlainQueue({ serializer, ...options });
