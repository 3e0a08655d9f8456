/** Tasks are values: a name, options, a handler. Making one opens nothing, and stores nothing. */
import {
  Cancel,
  createQueue,
  exponential,
  Fatal,
  JobCancelledError,
  JobFailedError,
  Retry,
  task,
} from "@taskq/core";
import { drain } from "@taskq/consumer";
import { memoryStorage } from "@taskq/memory";
import { z } from "zod";

const add = task("add", async ({ a, b }: { a: number; b: number }) => a + b);

// The input may have a schema, of any library that speaks Standard Schema: checked at enqueue and before running.
const Email = z.object({ to: z.email(), subject: z.string().default("Hello") });
const sendEmail = task(
  "send-email",
  { input: Email, timeout: "30s" },
  async ({ to, subject }) => `sent "${subject}" to ${to}`,
);

// What is thrown says what follows.
const charge = task(
  "charge",
  { retries: 2, backoff: exponential({ base: "2s", max: "5m" }), priority: 100 },
  async ({ order }: { order: string }, { attempt }) => {
    if (order === "gone") throw new Cancel("the order is gone"); // cancelled, never retried
    if (order === "stolen") throw new Fatal("the card is stolen"); // failed, no more retries
    if (order === "later" && attempt === 1) throw new Retry({ delay: "1m" }); // again, without using up a retry
    if (order === "shaky" && attempt < 3) throw new Error("the bank is busy"); // again, after the backoff
    return `charged ${order} on run ${attempt}`;
  },
);

await using queue = createQueue({ storage: memoryStorage(), tasks: { add, sendEmail, charge } });

// The bare handler, without a queue.
console.log("called directly:", await add.run({ a: 2, b: 3 }));

const email = await queue.enqueue(sendEmail.job({ to: "ada@example.org" }));
const refused = await queue.enqueue(sendEmail.job({ to: "nobody" })).catch((error: unknown) => error);
console.log("refused at enqueue:", refused instanceof Error && refused.message.split("\n")[0]);

const orders = ["plain", "shaky", "later", "gone", "stolen"];
const charges = await queue.enqueueMany(orders.map((order) => charge.job({ order })));
// Runs what is due, and what becomes due within the hour, in virtual time.
await drain(queue, { until: new Date(Date.now() + 3_600_000) });

console.log(await email.wait());
for (const result of charges) {
  try {
    console.log(await result.wait());
  } catch (error) {
    if (error instanceof JobCancelledError) console.log("cancelled:", error.reason);
    else if (error instanceof JobFailedError)
      console.log(`failed on run ${error.attempts}:`, error.error.message);
    else throw error;
  }
}
