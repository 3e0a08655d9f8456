/** `@taskq/conformance`: the test kit for authors of storages and serializers. */
export { storageSuite } from "./storage-suite.js";
export type { Runner, StorageSuiteOptions } from "./storage-suite.js";
export type { Fixture } from "./fixture.js";
export { dyingStorage } from "./faults/dying-storage.js";
export type { Death } from "./faults/dying-storage.js";
export { faultyStorage } from "./faults/faulty-storage.js";
export type {
  Fault,
  FaultControl,
  FaultKind,
  FaultPlan,
  FaultyMethod,
  FaultyStorage,
} from "./faults/faulty-storage.js";
export { plainJob } from "./plain-job.js";
export { poppingStorage } from "./faults/popping-storage.js";
export { malformedMessages } from "./malformed.js";
export { modelSuite } from "./model/model-suite.js";
export type { ModelSuiteOptions } from "./model/model-suite.js";
export { travelSuite } from "./model/travel-suite.js";
export type { TravelSuiteOptions } from "./model/travel-suite.js";
export { raceSuite } from "./races/race-suite.js";
export type { RacePlace, RaceSuiteOptions } from "./races/race-suite.js";
export { serializerSuite } from "./serializer-suite.js";
export type { SerializerSuiteOptions } from "./serializer-suite.js";
export type { RichKind } from "./serializer-values.js";
