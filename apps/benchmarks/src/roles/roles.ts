import type { ChaosConsumer, ChaosConsumerAnswer } from "../chaos/consumer-role.js";
import type { IdleConsumer, IdleConsumerAnswer } from "../idle/consumer-role.js";
import type { ParkedClaims, ParkedClaimsAnswer } from "../parked/claims-role.js";
import type { SoakConsumer, SoakConsumerAnswer } from "../soak/consumer-role.js";
import type { SoakProducer, SoakProducerAnswer } from "../soak/producer-role.js";
import type { Consume, ConsumeAnswer } from "./consume.js";
import type { RevokerAnswer, Revoker } from "../revoking/revoker-role.js";
import type { RevokeRunner, RevokeRunnerAnswer } from "../revoking/runner-role.js";
import type { Park, ParkAnswer } from "./park.js";
import type { Produce, ProduceAnswer } from "./produce.js";

/** What each role is told (as JSON) and answers. */
export interface Roles {
  produce: { configuration: Produce; answer: ProduceAnswer };
  park: { configuration: Park; answer: ParkAnswer };
  consume: { configuration: Consume; answer: ConsumeAnswer };
  "revoke-runner": { configuration: RevokeRunner; answer: RevokeRunnerAnswer };
  revoker: { configuration: Revoker; answer: RevokerAnswer };
  "chaos-consumer": { configuration: ChaosConsumer; answer: ChaosConsumerAnswer };
  "soak-producer": { configuration: SoakProducer; answer: SoakProducerAnswer };
  "soak-consumer": { configuration: SoakConsumer; answer: SoakConsumerAnswer };
  "idle-consumer": { configuration: IdleConsumer; answer: IdleConsumerAnswer };
  "parked-claims": { configuration: ParkedClaims; answer: ParkedClaimsAnswer };
}
export type RoleName = keyof Roles;
