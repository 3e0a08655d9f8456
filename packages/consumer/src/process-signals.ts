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
  if (heeding.size === 0) for (const signal of SIGNALS) process.on(signal, heedAll);
  heeding.add(heed);
  return {
    [Symbol.dispose]: () => {
      if (heeding.delete(heed) && heeding.size === 0)
        for (const signal of SIGNALS) process.off(signal, heedAll);
    },
  };
}

/** Those of all consumers that run. Node takes eleven listeners for a leak, so it has one. */
const heeding = new Set<() => void>();

function heedAll(): void {
  for (const heed of heeding) heed();
}
