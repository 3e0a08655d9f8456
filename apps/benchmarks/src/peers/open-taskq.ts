import { createConsumer } from "@taskq/consumer";
import { createQueue, task, type Serializer, type Storage, type TaskOptions } from "@taskq/core";
import { signedSerializer } from "@taskq/signed-serializer";
import type { Guard, OpenOptions, Payload, Protection, Session } from "./competitor.js";

const nobody = (_payload: Payload): Promise<number> => Promise.reject(new Error("nothing consumes here"));

/** As far apart as users' keys are: what one claim takes hardly ever meets. */
const guards: { readonly [Name in Guard]: TaskOptions<Payload> } = {
  lock: { lock: ({ n }) => `lock-${n % 1_000}` },
  "one-lock": { lock: "one" },
  limit: { limit: { key: ({ n }) => `limit-${n % 100}`, max: 10_000, per: "1m" } },
  unique: { unique: { key: ({ n }) => `job-${n}` } },
  "few-locks": { lock: ({ n }) => `lock-${n}` },
  "few-keys": { unique: { key: ({ n }) => `job-${n}` } },
};

/** One job in so many is guarded; the others are plain. */
function sharesOf(guard: Guard | undefined): number {
  return guard === "few-locks" || guard === "few-keys" ? 100 : 1;
}

function protectedBy(protection: Protection | undefined): { serializer?: Serializer } {
  if (protection === undefined) return {};
  const secret = "a secret that is the same in all processes";
  return { serializer: signedSerializer({ secret, encrypt: protection === "encrypted" }) };
}

/** Ours, with everything as a user gets it: default serializer, results kept, fences, events, periodic scheduler. */
export async function openTaskq(storage: Storage, { guard, protection }: OpenOptions): Promise<Session> {
  let run = nobody;
  const options = guard === undefined ? {} : guards[guard];
  const measured = task("measured", options, (payload: Payload) => run(payload));
  const plain = task("plain", (payload: Payload) => run(payload));
  const queue = createQueue({ storage, tasks: { measured, plain }, ...protectedBy(protection) });
  const every = sharesOf(guard);
  const jobOf = (payload: Payload) => (payload.n % every === 0 ? measured : plain).job(payload);
  // A queue opens at its first use; that is no part of any figure.
  await queue.counts();
  return {
    enqueue: (payload) => queue.enqueue(jobOf(payload)),
    enqueueMany: (payloads, due) =>
      queue.enqueueMany(
        payloads.map((each) => jobOf(each)),
        due === undefined ? {} : { at: due },
      ),
    roundTrip: async (payload) => (await queue.enqueue(jobOf(payload))).wait(),
    async consume({ workers, prefetch, run: handler }) {
      run = handler;
      const ahead = prefetch === undefined ? {} : { prefetch };
      const consumer = createConsumer(queue, { workers, ...ahead });
      await consumer.start();
      return () => consumer.stop();
    },
    async unfinished() {
      const { completed: _completed, ...others } = await queue.counts();
      return Object.values(others).reduce((sum, each) => sum + each, 0);
    },
    close: () => queue.close(),
  };
}
