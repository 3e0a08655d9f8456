/** Moves a queue between two files, and dies by SIGKILL at one of its calls. */
import { createQueue, moveQueue } from "@taskq/core";
import { sqliteStorage } from "@taskq/sqlite";

const { from, to, call, point } = JSON.parse(process.argv[2]);
let calls = 0;

function die() {
  process.kill(process.pid, "SIGKILL");
}

/** The storage, whose calls of a move are counted: at one of them the process ends. */
function dying(storage) {
  return new Proxy(storage, {
    get(target, property) {
      const value = Reflect.get(target, property);
      if (typeof value !== "function") return value;
      const method = value.bind(target);
      if (property !== "export" && property !== "import") return method;
      return async (request) => {
        calls += 1;
        if (calls !== call) return method(request);
        if (point === "before") die();
        const answer = method(request);
        if (point === "during") setImmediate(die);
        await answer;
        die();
        return answer;
      };
    },
  });
}

const queues = [from, to].map((path) => createQueue({ storage: dying(sqliteStorage({ path })), tasks: {} }));
const report = await moveQueue(queues[0], queues[1]);
process.send?.(report);
for (const queue of queues) await queue.close();
process.disconnect?.();
