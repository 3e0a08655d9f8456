import type { TaskqError } from "@taskq/core/storage";
import { hear, type Hearing, type Sending } from "./call.js";
import { isCluster, type Client, type ClusterClient, type Parameter } from "./client.js";
import { nodeOf } from "./copies.js";
import { framed, sendBytes, takesBytes, takesLooks } from "./framed.js";
import { pressing, type Script } from "./script.js";

/** Which client the whole text of a script was sent to last, so that it is sent once while many calls ask for it. */
export class SentTexts {
  readonly #last = new Map<string, { readonly client: Client | ClusterClient; readonly at: number }>();
  #count = 0;

  /** Numbers what is sent. */
  next(): number {
    this.#count += 1;
    return this.#count;
  }

  noted(sha: string, client: Client | ClusterClient): void {
    this.#last.set(sha, { client, at: this.next() });
  }

  /** Whether it was this client that the text was sent to last. */
  went(sha: string, client: Client | ClusterClient): boolean {
    return this.#last.get(sha)?.client === client;
  }

  /** Whether the text went to this client after the call of this number: then the call only has to come again. */
  wasSentSince(sha: string, client: Client | ClusterClient, number: number): boolean {
    const last = this.#last.get(sha);
    return last !== undefined && last.client === client && last.at > number;
  }
}

/** Bytes of a call that are more than the longest script: where the server may not know that, all of it goes at once. */
const LARGE = 131_072;

/** A parameter that is another one from the second time on that a call is sent: the first may be carried out later. */
export interface SentAgain {
  /** Among the parameters. */
  readonly place: number;
  readonly parameter: () => Parameter;
}

/** Changes the parameters of a script for a server whose memory is full, which has said so. */
export type WhenFull = (parameters: Parameter[], error: TaskqError) => void;

/** A script with its keys and parameters. */
export class ScriptSending implements Sending {
  readonly confirm: Sending["confirm"];
  readonly bytes: number;
  #script: Script;
  readonly #keys: readonly string[];
  readonly #parameters: Parameter[];
  readonly #texts: SentTexts;
  readonly #again: SentAgain | undefined;
  readonly #hintsFirst: boolean;
  #whenFull: WhenFull | undefined;
  #number = 0;
  #isUnknown = false;
  /** Whether a copy is under way of which it is not known what became. */
  #mayRun = false;

  /**
   * @param again what is otherwise from the second time on that it is sent
   * @param hintsFirst whether those whom its hints reach are to hear of it before the caller has its reply
   * @param whenFull called once a server whose memory is full has refused it, and before it is sent such that it is carried out
   */
  constructor(
    script: Script,
    keys: readonly string[],
    parameters: Parameter[],
    texts: SentTexts,
    confirm?: Sending["confirm"],
    again?: SentAgain,
    hintsFirst = false,
    whenFull?: WhenFull,
  ) {
    this.#script = script;
    this.#keys = keys;
    this.#parameters = parameters;
    this.bytes = lengthOf(parameters);
    this.#texts = texts;
    this.confirm = confirm;
    this.#again = again;
    this.#hintsFirst = hintsFirst;
    this.#whenFull = whenFull;
  }

  get what(): string {
    return `script ${this.#script.name}`;
  }

  get key(): string | undefined {
    return this.#keys[0];
  }

  send(client: Client | ClusterClient, hearing: Hearing): void {
    const { sha, inOrder = false } = this.#script;
    if (this.#mayRun && this.#again !== undefined) {
      const { place, parameter } = this.#again;
      this.#parameters[place] = parameter();
    }
    if (!this.#texts.went(sha, client) && (inOrder || this.bytes > LARGE)) {
      return this.sendWhole(client, hearing);
    }
    this.#mayRun = true;
    this.#number = this.#texts.next();
    if (!takesBytes(client)) {
      return hear(client, hearing, client.callBuffer("evalsha", [sha, ...this.#words()]));
    }
    const looks = this.#hintsFirst && takesLooks(client);
    sendBytes(client, framed(this.#script, this.#keys, this.#parameters, looks), hearing, looks);
  }

  sendWhole(client: Client | ClusterClient, hearing: Hearing): void {
    const { sha, source } = this.#script;
    const first = !this.#isUnknown;
    this.#isUnknown = true;
    // What was sent last was refused.
    this.#mayRun = false;
    if (first && this.#texts.wasSentSince(sha, client, this.#number)) return this.send(client, hearing);
    this.#texts.noted(sha, client);
    this.#mayRun = true;
    hear(client, hearing, client.callBuffer("eval", [source, ...this.#words()]));
  }

  press(error: TaskqError): boolean {
    const whenFull = this.#whenFull;
    if (whenFull === undefined) return false;
    this.#whenFull = undefined;
    this.#script = pressing(this.#script);
    this.#isUnknown = false;
    // What was sent last was refused.
    this.#mayRun = false;
    whenFull(this.#parameters, error);
    return true;
  }

  /** What follows the script. */
  #words(): Parameter[] {
    return [this.#keys.length, ...this.#keys, ...this.#parameters];
  }
}

/** A command; to the node of a key if one is given. */
export class CommandSending implements Sending {
  readonly #name: string;
  readonly #words: readonly Parameter[];
  readonly key: string | undefined;
  readonly bytes: number;

  constructor(name: string, words: readonly Parameter[], key?: string) {
    this.#name = name.toLowerCase();
    this.#words = words;
    this.key = key;
    this.bytes = lengthOf(words);
  }

  get what(): string {
    return `command ${this.#name.toUpperCase()}`;
  }

  send(client: Client | ClusterClient, hearing: Hearing): void {
    const to = this.key !== undefined && isCluster(client) ? nodeOf(client, this.key) : client;
    hear(client, hearing, to.callBuffer(this.#name, this.#words));
  }

  sendWhole(client: Client | ClusterClient, hearing: Hearing): void {
    this.send(client, hearing);
  }
}

function lengthOf(words: readonly Parameter[]): number {
  let length = 0;
  for (let place = 0; place < words.length; place += 1) {
    const word = words[place] as Parameter;
    if (typeof word !== "number") length += word.length;
  }
  return length;
}
