import { deferred } from "../deferred.js";
/** What a role may say to the program that started it, and hear from it. */
export interface Channel {
  /** Says that everything is open, and resolves when the program says go. */
  ready(): Promise<void>;
  progress(count: number): void;
  /** Resolves when the program says stop. */
  readonly stopped: Promise<void>;
}

export type MessageToRole = { readonly kind: "go" } | { readonly kind: "stop" };
export type MessageFromRole =
  | { readonly kind: "ready" }
  | { readonly kind: "progress"; readonly count: number }
  | { readonly kind: "done"; readonly answer: unknown }
  | { readonly kind: "failed"; readonly message: string };

/** The channel of this process. It ends when the program that started it does. */
export function openChannel(): Channel {
  const go = deferred<void>();
  const stop = deferred<void>();
  process.on("message", (message: MessageToRole) => (message.kind === "go" ? go : stop).resolve());
  process.on("disconnect", () => process.exit(1));
  // it may have ended while this one was starting
  if (!process.connected) process.exit(1);
  return {
    ready() {
      send({ kind: "ready" });
      return go.promise;
    },
    progress: (count) => send({ kind: "progress", count }),
    stopped: stop.promise,
  };
}

/** Says one thing to the program; `sent` is called once it is on its way. */
export function send(message: MessageFromRole, sent: () => void = () => {}): void {
  process.send?.(message, undefined, undefined, sent);
}
