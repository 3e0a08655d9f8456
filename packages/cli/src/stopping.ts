import type { Consumer } from "@taskq/consumer";
import { milliseconds } from "@taskq/core/engine";
import type { Duration } from "@taskq/core";
import { lengthOf } from "./instant.js";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** As shells report a process that SIGINT ended. */
const INTERRUPTED = 130;

/** Says what a stop waits for. The consumer takes the same signals: the first stops it, the second gives back. */
export function tellOfStopping(consumer: Consumer, grace: Duration, say: (text: string) => void): Disposable {
  let signals = 0;
  const hear = (): void => {
    signals += 1;
    const { busy } = consumer.health();
    const jobs = `${busy} ${busy === 1 ? "job" : "jobs"}`;
    if (signals === 1 && busy > 0) {
      const longest = lengthOf(milliseconds(grace, "grace"));
      say(
        `stopping: ${jobs} still running, up to ${longest}; press again to release ${busy === 1 ? "it" : "them"} now\n`,
      );
    } else if (signals === 1) say("stopping\n");
    else if (signals === 2) say(`releasing ${jobs} now\n`);
    // The consumer is giving back what it holds; somebody who insists does not want to wait for that.
    else process.exit(INTERRUPTED);
  };
  for (const signal of SIGNALS) process.on(signal, hear);
  return {
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) process.off(signal, hear);
    },
  };
}
