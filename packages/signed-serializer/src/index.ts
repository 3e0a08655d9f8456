/** `@taskq/signed-serializer`: bytes that nobody without a key can make, alter or move. */
export { signedSerializer } from "./signed-serializer.js";
export type { Secret, SignedSerializerOptions, SigningKey, SigningKeys } from "./options.js";
