/** Usages that `usage.ts` has not, with the types that must be inferred; never executed. */
import { createConsumer } from "@taskq/consumer";
import {
  createQueue,
  group,
  task,
  type Job,
  type PreparedJob,
  type Queue,
  type Result,
  type Task,
  type TaskContext,
} from "@taskq/core";
import { memoryStorage } from "@taskq/memory";
import { z } from "zod";

/** Compiles only if both are the same type. */
declare function same<A, B>(..._: Same<A, B> extends true ? [] : ["the types differ", A, B]): void;
type Same<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

// A handler whose input has a default is one whose input may be left out, with a context or without.
const paged = task("paged", async ({ size = 10 }: { size?: number } = {}) => size);
same<typeof paged, Task<"paged", { size?: number } | void, number>>();
paged.job();
paged.job({ size: 5 });
const counted = task("counted", { retries: 1 }, async (count: number = 1, { attempt }) => count * attempt);
same<typeof counted, Task<"counted", number | void, number>>();
const keyed = task("keyed", { lock: (n) => String(n?.toFixed()) }, (n: number = 1) => n);
same<typeof keyed, Task<"keyed", number | void, number>>();
// With a schema, that decides: what it does not take is refused, whatever the handler would do.
const checked = task("checked", { input: z.object({ a: z.number() }) }, ({ a }: { a: number } = { a: 1 }) => a);
same<typeof checked, Task<"checked", { a: number }, number>>();
// @ts-expect-error: the schema asks for one
checked.job();
// @ts-expect-error: optional, yet a number
counted.job("1");
task("nothing", () => {}).job().pipe(counted);

// An output of type `any` goes before every task, as `any` goes everywhere; with fields beside it, nobody knows what it would make.
const parse = task("parse", (text: string) => JSON.parse(text));
same<typeof parse, Task<"parse", string, any>>();
const double = task("double", (n: number) => n * 2);
const doubled = parse.job("1").pipe(double);
group([parse.job("1"), doubled]).pipe(task("both", ([one, two]: [{ id: string }, number]) => one.id + two));
const times = task("times", ({ input, factor }: { input: number; factor: number }) => input * factor);
// @ts-expect-error: an output that may or may not be an object
parse.job("1").pipe(times, { factor: 2 });

// One of several jobs, whose outputs differ, is a job; each of their tasks is asked for.
const both = createQueue({ storage: memoryStorage(), tasks: { paged, parse, times, ...chooser() } });
declare const urgent: boolean;
const either = await both.enqueue(urgent ? paged.job() : times.job({ input: 1, factor: 2 }), { priority: 1 });
same<typeof either, Result<number>>();
const choice = urgent ? times.job({ input: 1, factor: 2 }) : chooser().name.job();
same<typeof choice, Job<number, "times"> | Job<string, "name">>();
same<Awaited<ReturnType<typeof ofChoice>>, Result<number | string>>();
function ofChoice() {
  return both.enqueue(choice);
}
same<Awaited<ReturnType<typeof prepared>>, PreparedJob<number | string>>();
function prepared() {
  return both.prepare(choice);
}
same<Awaited<ReturnType<typeof added>>, Result<number | string>>();
function added({ enqueue }: TaskContext) {
  return enqueue(choice, { join: true });
}
// @ts-expect-error: it has one of the two
await createQueue({ storage: memoryStorage(), tasks: { times } }).enqueue(choice);
// @ts-expect-error: which tasks it needs is not in this type
void both.enqueue(paged.job() as Job<number>);
function chooser() {
  return { name: task("name", () => "Ada") };
}
// Whoever wraps a queue may leave it generic.
async function outputOf<Output, Names extends string>(queue: Queue<Names>, job: Job<Output, Names>): Promise<Output> {
  return (await queue.enqueue(job)).wait();
}
same<Awaited<ReturnType<typeof waited>>, number>();
function waited() {
  return outputOf(both, paged.job());
}

// What a listener answers is nobody's business, so a short one need not hide it; what sets up may answer what it has made.
const queue = createQueue({ storage: memoryStorage(), tasks: { paged } });
const ids: string[] = [];
const seen = new Set<string>();
queue.on("completed", ({ id }) => ids.push(id));
queue.on(["completed", "failed"], async ({ id }) => seen.add(id));
createConsumer(queue, { setup: () => fetch("https://a.example"), teardown: async () => ids.length });

// Tasks of one make: within a generic function the input has no type yet, so its handler takes the least that there is.
function tenantTask<const Name extends string, Input extends { tenant: string }, Output>(
  name: Name,
  work: (input: Input, context: TaskContext) => Promise<Output>,
): Task<Name, Input, Awaited<Output>> {
  const made = task(
    name,
    { lock: ({ tenant }: { tenant: string }) => tenant },
    async (input: { tenant: string }, context) => work(input as Input, context),
  );
  return made;
}
const importRows = tenantTask("import-rows", async ({ rows }: { tenant: string; rows: string[] }) => rows.length);
same<typeof importRows, Task<"import-rows", { tenant: string; rows: string[] }, number>>();
