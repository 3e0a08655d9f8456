import { TaskqError, type Queue } from "@taskq/core";

/**
 * Opens a queue, so that a storage that cannot be used is told of before anything else, in one line; `undefined`: it was told.
 *
 * @param program Named in that line.
 */
export async function opened<Opened extends Queue>(
  program: string,
  open: () => Opened,
): Promise<Opened | undefined> {
  let queue: Opened | undefined;
  try {
    queue = open();
    await queue.counts();
    return queue;
  } catch (error) {
    await queue?.close();
    if (!(error instanceof TaskqError)) throw error;
    process.stderr.write(`${program}: ${error.message} (${error.code})\n`);
    return undefined;
  }
}
