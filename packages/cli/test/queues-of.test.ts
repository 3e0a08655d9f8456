import { createQueue, TaskqError } from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { expect, test } from "vitest";
import { queuesOf } from "../src/queues-of.js";
import { storageName } from "../src/storage-name.js";

const mail = createQueue({ name: "mail", storage: memoryStorage(), tasks: {} });
const shop = createQueue({ name: "shop", storage: memoryStorage(), tasks: {} });

test("the same queue under several names is one queue", () => {
  expect(queuesOf({ mail, also: mail, default: mail, shop }, "queue.js", undefined)).toEqual([mail, shop]);
});

test("queues in the default export of a CommonJS module are found", () => {
  expect(queuesOf({ default: { mail, shop } }, "queue.cjs", undefined)).toEqual([mail, shop]);
});

test("queues are chosen by their names", () => {
  expect(queuesOf({ mail, shop }, "queue.js", ["shop"])).toEqual([shop]);
});

test.each([
  { exports: {}, says: "queue.js exports no queue; it exports nothing." },
  { exports: { name: "mail", tasks: {} }, says: "it exports name (string) and tasks (object)." },
  { exports: { Shop: TaskqError }, says: "it exports Shop (a class)." },
  { exports: { default: {} }, says: "it exports nothing." },
  { exports: { default: Promise.resolve(mail) }, says: "it exports default (a promise: await it)." },
  { exports: { default: new Map([["mail", mail]]) }, says: "it exports default (object)." },
])("without a queue, it says so: $says", ({ exports, says }) => {
  const error = thrown(() => queuesOf(exports, "queue.js", undefined));
  expect(error).toBeInstanceOf(TaskqError);
  expect(error).toMatchObject({ code: "TASKQ_NO_QUEUE", message: expect.stringContaining(says) as string });
});

test("a storage is named by its kind", () => {
  expect(storageName(mail)).toMatch(/^memory/);
});

function thrown(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return error;
  }
}
