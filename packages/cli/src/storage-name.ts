import type { Queue } from "@taskq/core";
import { engineOf } from "@taskq/core/engine";

/** Where the jobs of a queue are kept, such as `sqlite /srv/app/jobs.db`. */
export function storageName(queue: Queue): string {
  const storage: object = engineOf(queue).storage;
  if ("description" in storage && typeof storage.description === "string") return storage.description;
  const kind = storage.constructor.name.replace(/Stor(?:age|e)$/, "").toLowerCase();
  return "path" in storage && typeof storage.path === "string" ? `${kind} ${storage.path}` : kind;
}
