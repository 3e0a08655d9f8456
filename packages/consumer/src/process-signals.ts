const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** What a shell answers for a process that SIGINT ended. */
const EXIT_CODE = 130;

export interface SignalActions {
  /** At the first one. */
  readonly stop: () => void;
  /** At the second one. */
  readonly stopNow: () => void;
}

/** Heeds SIGINT and SIGTERM until it is disposed of. The third one ends the process. */
export function heedProcessSignals({ stop, stopNow }: SignalActions): Disposable {
  let count = 0;
  const heed = (): void => {
    count += 1;
    if (count === 1) stop();
    else if (count === 2) stopNow();
    else process.exit(EXIT_CODE);
  };
  for (const signal of SIGNALS) process.on(signal, heed);
  return {
    [Symbol.dispose]: () => {
      for (const signal of SIGNALS) process.off(signal, heed);
    },
  };
}
