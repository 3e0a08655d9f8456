import { describe } from "vitest";
import { serverBinary } from "./servers/binary.js";
import { clusterOfTests, suiteOnCluster } from "./support/cluster-of-tests.js";

describe.skipIf(serverBinary() === undefined)("conformance on a Cluster", () => {
  suiteOnCluster(clusterOfTests(), { name: "redis, on a Cluster" });
});
