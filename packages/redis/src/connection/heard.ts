/** Commands that tell a call itself what became of them. */
import { later } from "@taskq/core/storage";
import { Command } from "ioredis";
import type { Hearing } from "./call.js";
import type { Client, ClusterClient, Reply } from "./client.js";

export const NOTHING: Buffer = Buffer.alloc(0);

/**
 * A command without what makes one of ioredis slow: a promise, with the functions that settle it. It has the prototype of those, and
 * the fields that their constructor writes.
 */
export class HeardCommand {
  readonly name = "evalsha";
  readonly args: readonly [] = NO_ARGUMENTS;
  readonly inTransaction = false;
  readonly replyEncoding = null;
  readonly transformed = true;
  /** Nobody hears of it: ioredis need not ask again. */
  isTraced = true;
  isResolved = false;
  isSettled = false;
  protocol = 2;
  replyMapping = "legacy";
  #bytes: Buffer;
  readonly #client: Client | ClusterClient;
  readonly #hearing: Hearing;

  constructor(bytes: Buffer, client: Client | ClusterClient, hearing: Hearing) {
    this.#bytes = bytes;
    this.#client = client;
    this.#hearing = hearing;
  }

  toWritable(): Buffer {
    return this.#bytes;
  }

  resolve(reply: unknown): void {
    this.isResolved = true;
    this.isSettled = true;
    // Some commands live on until a full collection: not with what was sent.
    this.#bytes = NOTHING;
    this.#hearing.answered(this.#client, reply as Reply);
  }

  /** Not at once: ioredis is in the midst of giving up the connection, or of taking the command. */
  reject(error: unknown): void {
    this.isSettled = true;
    later(() => this.#hearing.failed(this.#client, error));
  }
}

/** What only a command with a promise or a callback has, or one that failed. */
const OTHERS = ["promise", "callback", "errorStack", "resolve", "reject"];

const NO_ARGUMENTS = [] as const;
Object.setPrototypeOf(HeardCommand.prototype, Command.prototype);

/** Whether commands of this ioredis have the fields that are known here: those of a later one may have others. */
export const isKnown: boolean = isLike(new Command("evalsha", [], { replyEncoding: null }));

function isLike(command: Command): boolean {
  const fields = new Set([
    ...Object.keys(new HeardCommand(NOTHING, undefined as never, undefined as never)),
    ...OTHERS,
  ]);
  return Object.keys(command).every((field) => fields.has(field));
}
