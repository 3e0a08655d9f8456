import { engineOf } from "@taskq/core/engine";
import { MOVED_AT_ONCE, type ExportAnswer, type MovedRecord } from "@taskq/core/storage";
import type { Queue } from "@taskq/core";

/** The records of a queue in which nothing changes, page by page. */
export async function* pagesOf(queue: Queue, departure: string): AsyncGenerator<readonly MovedRecord[]> {
  const { storage, name, time } = engineOf(queue);
  let cursor: string | undefined;
  do {
    const page: ExportAnswer = await storage.export({
      queue: name,
      kind: "page",
      departure,
      cursor,
      limit: MOVED_AT_ONCE,
      now: time.requestNow(),
    });
    yield page.records;
    cursor = page.cursor;
    // A storage in this process answers at once, and the signal that breaks the dump off would come after all pages.
    await new Promise(setImmediate);
  } while (cursor !== undefined);
}
