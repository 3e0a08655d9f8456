import { pause } from "../clock.js";
import type { Cell, Measurement } from "./cell.js";
import { consumerOf } from "./measure-consuming.js";
import { produceInto } from "./measure-storing.js";
import type { Place } from "./place.js";

/** Commands that reach the server while a consumer has nothing to do. */
export async function measureIdle(cell: Cell, place: Place): Promise<Measurement> {
  const { jobs, seconds = 1 } = cell;
  await (await produceInto(cell, place, "bulk")).run();
  const consumer = consumerOf(cell, place);
  await consumer.ready;
  const ran = new Promise<void>((resolve, reject) => {
    consumer.onProgress((count) => {
      if (count >= jobs) resolve();
    });
    consumer.answer.catch(reject);
  });
  consumer.go();
  await ran;
  // Until it has settled down.
  await pause(seconds * 200);
  const commands = (await place.sentWithin(seconds * 1_000)) / seconds;
  consumer.stop();
  const { unfinished } = await consumer.answer;
  if (unfinished > 0) throw new Error(`${unfinished} of ${jobs} jobs have not completed`);
  return { rate: commands, latencies: [], loopDelayP999: 0, values: { commands } };
}
