/** The options of `signedSerializer`. */
import type { Duration, Logger, Serializer } from "@taskq/core";

/** At least 32 bytes, of a text in UTF-8; random ones, as of `openssl rand -base64 32`. */
export type Secret = string | Uint8Array;

/** One of the keys: the first signs, all verify. */
export interface SigningKey {
  /** Stands in each message in the clear: 1 to 64 letters, digits, `.`, `_` or `-`. */
  readonly id: string;
  readonly secret: Secret;
}

/** The first key signs, all of them verify. `{ secret }` is short for one key with the id `default`. */
export type SigningKeys =
  | { readonly keys: readonly SigningKey[]; readonly secret?: never }
  | { readonly secret: Secret; readonly keys?: never };

/** What `signedSerializer` takes: `keys` or a `secret`, and how it works. */
export type SignedSerializerOptions = SigningKeys & {
  /** Makes the bytes that are signed. @default `jsonSerializer()` */
  readonly serializer?: Serializer;
  /** Hide the content too, by AES-256-GCM, and the names of locks, limits and unique keys by a keyed hash. @default false */
  readonly encrypt?: boolean;
  /**
   * With `encrypt`, what names of locks, limits and unique keys are hashed with: the same for all processes, and kept when
   * keys rotate, so that a lock keeps its name. @default the secret of the first key
   */
  readonly nameSecret?: Secret;
  /** Refuse jobs and values signed longer ago. It must be longer than the longest wait of a job. @default none */
  readonly maxAge?: Duration;
  /** Read what was stored before signing; logged each time. For a migration only: whoever can write can then also forge. @default false */
  readonly acceptUnsigned?: boolean;
  /** Told of each unsigned message that is accepted; where it throws, the process warns. @default warnings of the process, as `process.emitWarning` makes them */
  readonly logger?: Pick<Logger, "warn">;
};
