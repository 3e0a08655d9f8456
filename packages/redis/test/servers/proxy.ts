/** A TCP proxy in front of a server, that can fall silent, cut, hand over in pieces, or slowly. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";

/** Bytes that pass at a time where few pass. */
const PIECE = 16_384;
/** Milliseconds for which a slow proxy makes up what timers that come late have cost it. */
const MADE_UP = 200;

export interface Proxy {
  readonly port: number;
  readonly url: string;
  /** Connections that were made through it so far. */
  readonly connections: number;
  /** From now on not a byte passes on the connections there are, or the one of this number, and none of them is closed: half-open. New ones pass. */
  freeze(number?: number): void;
  /** New connections are taken and stay silent as well. */
  freezeAll(number?: number): void;
  /** New connections pass again; the frozen ones stay so. */
  thaw(): void;
  /** What clients have sent on frozen connections reaches the server, also if they have given those up. */
  deliver(): void;
  /** From now on what the server says comes in pieces of so many bytes, each in a turn of its own. */
  inPieces(size: () => number): void;
  /** From now on so many bytes a second pass, each way, on all connections together. */
  slowTo(rate: number): void;
  /** Destroys every connection, by a reset. */
  cut(): void;
  close(): Promise<void>;
}

export async function startProxy(targetPort: number): Promise<Proxy> {
  const proxy = new FaultyProxy(targetPort);
  await proxy.listen();
  return proxy;
}

class FaultyProxy implements Proxy {
  port = 0;
  connections = 0;
  readonly #target: number;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #frozen = new WeakSet<Socket>();
  /** Of connections, by the client's end; the first is 1. */
  readonly #numbers = new WeakMap<Socket, number>();
  #held: (() => void)[] = [];
  #size: (() => number) | undefined;
  readonly #handed = new WeakMap<Socket, Promise<void>>();
  #slow: { readonly toServer: Narrow; readonly toClient: Narrow } | undefined;
  #silent = false;
  readonly #server = createServer((socket) => this.#accept(socket));

  constructor(target: number) {
    this.#target = target;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.port}`;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
  }

  freeze(number?: number): void {
    for (const pair of this.#pairs) {
      if (number !== undefined && this.#numbers.get(pair[0]) !== number) continue;
      for (const socket of pair) this.#frozen.add(socket);
    }
  }

  freezeAll(number?: number): void {
    this.#silent = true;
    this.freeze(number);
  }

  thaw(): void {
    this.#silent = false;
  }

  deliver(): void {
    for (const write of this.#held.splice(0)) write();
  }

  inPieces(size: () => number): void {
    this.#size = size;
  }

  slowTo(rate: number): void {
    this.#slow = { toServer: new Narrow(rate), toClient: new Narrow(rate) };
  }

  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, "close");
  }

  /** @param before when all that was handed to it before has been written */
  async #hand(to: Socket, bytes: Buffer, size: () => number, before?: Promise<void>): Promise<void> {
    await before;
    for (let at = 0; at < bytes.length && !to.destroyed;) {
      const end = at + size();
      to.write(bytes.subarray(at, end));
      at = end;
      await nextTurn();
    }
  }

  #accept(socket: Socket): void {
    this.connections += 1;
    this.#numbers.set(socket, this.connections);
    const target = connect({ host: "127.0.0.1", port: this.#target });
    const pair = [socket, target] as const;
    this.#pairs.add(pair);
    if (this.#silent) for (const each of pair) this.#frozen.add(each);
    for (const [from, to] of [
      [socket, target],
      [target, socket],
    ] as const) {
      from.on("data", (bytes) => {
        if (this.#slow !== undefined) {
          const narrow = from === socket ? this.#slow.toServer : this.#slow.toClient;
          from.pause();
          void narrow.pass(to, bytes).then(() => from.resume());
          return;
        }
        const size = from === target ? this.#size : undefined;
        if (!this.#frozen.has(from)) {
          if (size === undefined) to.write(bytes);
          else this.#handed.set(to, this.#hand(to, bytes, size, this.#handed.get(to)));
        } else if (from === socket) this.#held.push(() => to.write(bytes));
      });
      from.on("error", () => {});
      from.on("close", () => {
        this.#pairs.delete(pair);
        // the other end of a half-open connection never hears of it
        if (!this.#frozen.has(from)) to.destroy();
      });
    }
  }
}

/** What lets so many bytes a second through, of whatever comes: in turn. */
class Narrow {
  readonly #rate: number;
  #freeAt = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(rate: number) {
    this.#rate = rate;
  }

  pass(to: Socket, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += PIECE) {
      const piece = bytes.subarray(at, at + PIECE);
      this.#last = this.#last.then(() => this.#one(to, piece));
    }
    return this.#last;
  }

  async #one(to: Socket, piece: Buffer): Promise<void> {
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now - MADE_UP) + (piece.length / this.#rate) * 1_000;
    if (this.#freeAt > now) await pause(this.#freeAt - now);
    if (!to.destroyed) to.write(piece);
  }
}
