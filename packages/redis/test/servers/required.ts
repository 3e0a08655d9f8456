/** Before all tests: says which of them cannot run here, and fails where that must not be. */
import { guestUrl, serverBinary } from "./binary.js";

export default function required(): void {
  if (serverBinary() !== undefined) return;
  const line =
    "no redis-server or valkey-server here, so the tests that start one are not run" +
    `${guestUrl === undefined ? "" : " (TASKQ_REDIS_URL is visited, and left running)"}; ` +
    "make them run with: npm test, which unpacks a private copy on Debian and Ubuntu, or apt-get install redis-server";
  if (process.env["CI"] === "true" && guestUrl === undefined) throw new Error(line);
  console.warn(`taskq: ${line}`);
}
