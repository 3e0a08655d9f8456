/** Before all tests: says that those on Redis cannot run here, and fails where that must not be. */
export { requireServer as default } from "@taskq/redis-servers";
