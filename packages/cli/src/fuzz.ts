/** `@taskq/cli/fuzz`: what reads files that anybody may have written, for `pnpm fuzz`. Not for users: it may change with any release. */
export { CountedRecords } from "./dump/counted-records.js";
export { lineOf } from "./dump/format.js";
export { readDump } from "./dump/reader.js";
export { UserError } from "./user-error.js";
