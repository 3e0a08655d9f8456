import type { Client, ClusterClient } from "./client.js";
import { letGo } from "./let-go.js";

/** How long the server may take to answer the probe, in milliseconds. */
const PATIENCE = 1_000;
/** What was written before the answer to the probe is here as well after so many milliseconds. */
const GRACE = 100;

/** `answers`: another connection is answered. `refused`: none can be made. `silent`: that one is not answered either. */
export type Probed = "answers" | "refused" | "silent";

/**
 * Finds out, on a connection made for it, whether a server answers.
 *
 * A connection on which nothing comes may be half-open, and only another one helps; or the server is busy or frozen, and another
 * one would only make it do everything twice.
 */
export function probe(make: () => Client | ClusterClient, done: (probed: Probed) => void): () => void {
  let client: Client | ClusterClient | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  const end = (): boolean => {
    if (isOver) return false;
    isOver = true;
    clearTimeout(timer);
    if (client !== undefined) letGo(client);
    return true;
  };
  const over = (probed: Probed): void => {
    if (end()) done(probed);
  };
  const answered = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => over("answers"), GRACE).unref();
  };
  timer = setTimeout(() => over("silent"), PATIENCE).unref();
  try {
    client = make();
  } catch {
    over("refused");
    return end;
  }
  const made = client;
  made.on("error", () => {});
  made.on("close", () => over("refused"));
  made.on("end", () => over("refused"));
  made.on("ready", () => {
    // a refusal is an answer, too
    made.callBuffer("ping", []).then(answered, (error: unknown) => {
      if (error instanceof Error && error.name === "ReplyError") answered();
      else over("refused");
    });
  });
  return end;
}
