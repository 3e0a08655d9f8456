// One role in a process of its own: `role.js <name> <configuration as JSON>`, started by `startRole`.
import { openChannel, send, type Channel } from "./roles/channel.js";
import type { RoleName, Roles } from "./roles/roles.js";

type Run<Name extends RoleName> = (
  configuration: Roles[Name]["configuration"],
  channel: Channel,
) => Promise<Roles[Name]["answer"]>;

/** Loaded one by one, so that each process holds only what it needs. */
const roles: { readonly [Name in RoleName]: () => Promise<Run<Name>> } = {
  produce: async () => (await import("./roles/produce.js")).produce,
  park: async () => (await import("./roles/park.js")).park,
  consume: async () => (await import("./roles/consume.js")).consume,
  "revoke-runner": async () => (await import("./revoking/runner-role.js")).revokeRunner,
  revoker: async () => (await import("./revoking/revoker-role.js")).revoker,
  "chaos-consumer": async () => (await import("./chaos/consumer-role.js")).chaosConsumer,
  "soak-producer": async () => (await import("./soak/producer-role.js")).soakProducer,
  "soak-consumer": async () => (await import("./soak/consumer-role.js")).soakConsumer,
  "idle-consumer": async () => (await import("./idle/consumer-role.js")).idleConsumer,
  "parked-claims": async () => (await import("./parked/claims-role.js")).parkedClaims,
};

const [name, configuration] = process.argv.slice(2);
const channel = openChannel();
try {
  // The pair is one of `Roles`, since `startRole` checked it where it was written.
  const run = (await roles[name as RoleName]()) as Run<RoleName>;
  const answer = await run(JSON.parse(configuration ?? "{}") as never, channel);
  send({ kind: "done", answer }, () => process.exit(0));
} catch (error) {
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  send({ kind: "failed", message }, () => process.exit(1));
}
