/** `@taskq/memory`: a storage in this process, for tests. */
export { memoryStorage } from "./memory-storage.js";
