/** Asks how many beans, has them counted by another process, shows what it says: `npm run beans`. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { openBeanQueue, type BeanQueue } from "./bean-queue.js";
import { countBeans } from "./bean-tasks.js";
import { opened } from "./opened.js";
import { isFile, makeStore, type Store } from "./store.js";

const QUESTION = "How many beans? ";
const CONSUMER = fileURLToPath(new URL("bean-consumer.js", import.meta.url));

process.exitCode = await main();

async function main(): Promise<number> {
  const store = await makeStore("beans");
  const queue = await opened("beans", () => openBeanQueue(store.place));
  if (queue !== undefined) {
    await ask(queue, store);
    return 0;
  }
  if (isFile) await store.remove();
  return 1;
}

async function ask(queue: BeanQueue, store: Store): Promise<void> {
  const consumer = fork(CONSUMER, [store.place]);
  const input = createInterface({ input: process.stdin, output: process.stdout, prompt: QUESTION });
  let byEmptyLine = false;
  let closed = false;
  input.once("close", () => (closed = true));
  try {
    process.stdout.write("A number is counted by a consumer process; an empty line ends this.\n");
    input.prompt();
    for await (const line of input) {
      const answer = line.trim();
      if (answer === "") {
        byEmptyLine = true;
        break;
      }
      process.stdout.write(`${await count(queue, answer)}\n`);
      // The input may have ended meanwhile.
      if (!closed) input.prompt();
    }
    // Only a person's empty line has left the line of the question.
    if (!byEmptyLine || !process.stdin.isTTY) process.stdout.write("\n");
  } finally {
    input.close();
    const ended = once(consumer, "exit");
    if (consumer.exitCode === null && consumer.kill("SIGTERM")) await ended;
    await queue.close();
    await store.remove();
  }
}

async function count(queue: BeanQueue, answer: string): Promise<string> {
  if (!/^\d{1,9}$/.test(answer)) return `Expected a whole number of beans, got "${answer}".`;
  const result = await queue.enqueue(countBeans.job(Number(answer)));
  return result.wait({ timeout: "30s" });
}
