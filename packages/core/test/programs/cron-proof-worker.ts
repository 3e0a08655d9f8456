// One process of the cron proof: is sent a zone and the options, answers the zone's report.
import { proveZone, type ProofOptions } from "../cron-proof/prove-zone.ts";

process.on("message", ({ timeZone, options }: { timeZone: string; options: ProofOptions }) => {
  process.send?.(proveZone(timeZone, options));
});
