/** A store in each process of a race: what a race must find out. */
import { memoryStorage } from "@taskq/memory";

export async function open() {
  return memoryStorage();
}
