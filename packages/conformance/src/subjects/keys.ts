import assert from "node:assert/strict";
import type { KeysAnswer } from "@taskq/core/storage";
import type { Context } from "../context.js";
import { promise, subject, type Subject } from "../promise.js";

const TTL = 10_000;
const NAME = "door";

interface Asking {
  readonly name?: string;
  readonly max?: number;
  readonly ttl?: number;
  /** @default 60 s */
  readonly wait?: number | undefined;
}

function acquire(context: Context, ticket: string, asking: Asking = {}): Promise<KeysAnswer> {
  return context.keys({
    kind: "acquire",
    name: asking.name ?? NAME,
    ticket,
    owner: `owner of ${ticket}`,
    max: asking.max ?? 1,
    ttl: asking.ttl ?? TTL,
    wait: "wait" in asking ? asking.wait : 60_000,
  });
}

function release(context: Context, ticket: string | undefined): Promise<KeysAnswer> {
  return context.keys({ kind: "release", name: NAME, ticket });
}

function renew(context: Context, ticket: string): Promise<KeysAnswer> {
  return context.keys({ kind: "renew", name: NAME, ticket, ttl: TTL });
}

async function status(answer: Promise<KeysAnswer>): Promise<string> {
  return (await answer).status;
}

async function holders(context: Context): Promise<readonly string[]> {
  const answer = await context.keys({ kind: "inspect", name: NAME });
  assert.equal(answer.status, "inspected");
  return answer.holders.map(({ owner }) => owner);
}

export const locking: Subject = subject("keys", [
  promise(
    "a lock is held by one ticket at a time, and the next in line gets it when it is released",
    async (context) => {
      const held = await acquire(context, "a");
      assert.equal(held.status, "held");
      assert.equal(held.expiresAt, context.now + TTL);
      assert.ok(held.fence !== undefined);
      assert.equal(await status(acquire(context, "impatient", { wait: undefined })), "busy");
      for (const ticket of ["b", "c"]) assert.equal(await status(acquire(context, ticket)), "waiting");
      assert.deepEqual(await holders(context), ["owner of a"]);
      assert.equal(await status(release(context, "stranger")), "none");
      assert.equal(await status(release(context, "a")), "released");
      assert.equal(await status(acquire(context, "c")), "waiting");
      assert.equal(await status(acquire(context, "b")), "held");
      assert.deepEqual(await holders(context), ["owner of b"]);
      assert.equal(await status(release(context, "b")), "released");
      assert.equal(await status(acquire(context, "c")), "held");
      assert.equal(await status(release(context, "c")), "released");
      assert.deepEqual(await holders(context), []);
    },
  ),

  promise("a semaphore is held by no more tickets than its maximum", async (context) => {
    const asking = { max: 3 };
    for (const ticket of ["a", "b", "c"])
      assert.equal(await status(acquire(context, ticket, asking)), "held");
    assert.equal(await status(acquire(context, "d", asking)), "waiting");
    assert.equal(await status(acquire(context, "e", { ...asking, wait: undefined })), "busy");
    assert.equal((await holders(context)).length, 3);
    await release(context, "b");
    assert.equal(await status(acquire(context, "d", asking)), "held");
    assert.deepEqual([...(await holders(context))].toSorted(), ["owner of a", "owner of c", "owner of d"]);
  }),

  promise("acquiring again with the same ticket answers where it stands", async (context) => {
    const first = await acquire(context, "a");
    const again = await acquire(context, "a");
    assert.equal(again.status, "held");
    assert.equal(again.fence, first.fence);
    assert.deepEqual(await holders(context), ["owner of a"]);
    assert.equal(await status(acquire(context, "b")), "waiting");
    assert.equal(await status(acquire(context, "b")), "waiting");
    assert.equal(await status(acquire(context, "c")), "waiting");
    await release(context, "a");
    assert.equal(await status(acquire(context, "b")), "held");
    await release(context, "b");
    assert.equal(await status(acquire(context, "c")), "held", "a ticket stood in the line twice");
  }),

  promise("a lock whose holder does not renew is free after its time to live", async (context) => {
    await acquire(context, "a");
    context.advance(TTL - 1);
    const renewed = await renew(context, "a");
    assert.equal(renewed.status, "held");
    assert.equal(renewed.expiresAt, context.now + TTL);
    context.advance(TTL - 1);
    assert.equal(await status(acquire(context, "b", { wait: undefined })), "busy");
    context.advance(1);
    assert.deepEqual(await holders(context), []);
    assert.equal(await status(acquire(context, "b", { wait: undefined })), "held");
  }),

  promise("a waiting ticket that is not asked for again loses its place", async (context) => {
    await acquire(context, "a", { ttl: 60_000 });
    assert.equal(await status(acquire(context, "b", { wait: 1_000 })), "waiting");
    assert.equal(await status(acquire(context, "c", { wait: 1_000 })), "waiting");
    assert.equal(await status(acquire(context, "d")), "waiting");
    context.advance(900);
    assert.equal(await status(acquire(context, "c", { wait: 1_000 })), "waiting");
    context.advance(900);
    await release(context, "a");
    assert.equal(await status(acquire(context, "b", { wait: 1_000 })), "waiting");
    assert.equal(await status(acquire(context, "c", { wait: 1_000 })), "held");
  }),

  promise("a waiting ticket that is given back leaves the line", async (context) => {
    await acquire(context, "a");
    for (const ticket of ["b", "c"]) {
      assert.equal(await status(acquire(context, ticket, { wait: 60_000 })), "waiting");
    }
    assert.equal(await status(release(context, "b")), "released");
    await release(context, "a");
    assert.deepEqual(await holders(context), ["owner of c"]);
  }),

  promise(
    "a ticket that was granted while it waited and is not asked for again holds no longer than its place was kept",
    async (context) => {
      await acquire(context, "a");
      for (const ticket of ["dead", "b", "c"])
        assert.equal(await status(acquire(context, ticket, { wait: 1_000 })), "waiting");
      context.advance(900);
      for (const ticket of ["b", "c"]) await acquire(context, ticket, { wait: 1_000 });
      await release(context, "a");
      assert.deepEqual(await holders(context), ["owner of dead"]);
      context.advance(99);
      assert.equal(await status(acquire(context, "b", { wait: 1_000 })), "waiting");
      context.advance(1);
      const granted = await acquire(context, "b", { wait: 1_000 });
      assert.deepEqual([granted.status, granted.expiresAt], ["held", context.now + TTL]);
      context.advance(TTL - 1);
      assert.deepEqual(await holders(context), ["owner of b"]);
    },
  ),

  promise("a lock that was lost or taken away answers lost at renewal", async (context) => {
    await acquire(context, "a");
    context.advance(TTL + 1);
    assert.equal(await status(acquire(context, "b")), "held");
    assert.equal(await status(renew(context, "a")), "lost");
    assert.equal(await status(renew(context, "b")), "held");
    assert.equal(await status(release(context, undefined)), "released");
    assert.deepEqual(await holders(context), []);
    assert.equal(await status(renew(context, "b")), "lost");
    assert.equal(await status(renew(context, "stranger")), "lost");
    assert.equal(await status(release(context, undefined)), "none");
  }),

  promise("fences of a lock grow with every holder", async (context) => {
    let last = 0;
    for (const ticket of ["a", "b", "a", "c"]) {
      const { fence } = await acquire(context, ticket);
      assert.ok(fence !== undefined && fence > last, `the fence ${fence} after ${last}`);
      last = fence;
      assert.equal((await renew(context, ticket)).fence ?? fence, fence);
      const [holder] = (await context.keys({ kind: "inspect", name: NAME })).holders;
      assert.equal(holder?.fence, fence);
      await release(context, ticket);
    }
    await acquire(context, "d");
    await acquire(context, "e");
    await release(context, "d");
    const granted = await acquire(context, "e");
    assert.ok(
      granted.fence !== undefined && granted.fence > last + 1,
      "a grant from the line has an old fence",
    );
  }),

  promise("a lock held by a ticket parks jobs that need it, and the other way round", async (context) => {
    const gates = [{ kind: "lock", key: NAME, max: 1, per: undefined, onBusy: "wait" }] as const;
    const [first, second, free] = [context.job({ gates }), context.job({ gates }), context.job()];
    assert.equal(await status(acquire(context, "a")), "held");
    await context.enqueue(first, second, free);
    const claimed = await context.claim({ n: 5 });
    assert.deepEqual(
      claimed.map(({ id }) => id),
      [free.id],
    );
    assert.deepEqual(await context.states(first.id, second.id), ["parked", "parked"]);
    assert.equal((await context.jobRecord(first.id)).gate, NAME);
    await release(context, "a");
    const run = await context.claimOne();
    assert.equal(run.id, first.id);
    assert.deepEqual(await context.claim({ n: 5 }), []);
    assert.equal(await status(acquire(context, "b", { wait: undefined })), "busy");
    assert.equal(await status(acquire(context, "b")), "waiting");
    assert.equal(await context.complete(run), "applied");
    assert.equal(
      await status(release(context, undefined)),
      "none",
      "a place is kept for the job that goes next",
    );
    const next = await context.claimOne();
    assert.equal(next.id, second.id, "the ticket came after the job in the line");
    await context.complete(next);
    assert.equal(await status(acquire(context, "b")), "held");
    context.advance(TTL + 1);
    const last = context.job({ gates });
    await context.enqueue(last);
    assert.equal((await context.claimOne()).id, last.id);
  }),
]);
