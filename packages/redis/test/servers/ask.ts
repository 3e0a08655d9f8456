/** A few words with a server without a client library: what the tests need to start, watch and break servers. */
import { connect } from "node:net";

/** Sends commands one after another and answers what came for the last one, as text. Rejects if it is an error. */
export function ask(
  port: number,
  commands: readonly (readonly string[])[],
  password?: string,
  wait = 2_000,
): Promise<string> {
  const all = password === undefined ? commands : [["AUTH", password], ...commands];
  return new Promise((done, fail) => {
    const socket = connect({ host: "127.0.0.1", port });
    let received = Buffer.alloc(0);
    const end = (finish: () => void): void => {
      socket.destroy();
      finish();
    };
    socket.setTimeout(wait, () => end(() => fail(new Error(`port ${port} does not answer`))));
    socket.once("error", (error) => end(() => fail(error)));
    socket.once("close", () => fail(new Error(`port ${port} closed the connection`)));
    socket.on("data", (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const replies = parse(received);
      const last = replies[all.length - 1];
      if (last === undefined) return;
      if (last.startsWith("-")) end(() => fail(new Error(last.slice(1))));
      else end(() => done(last));
    });
    for (const words of all) socket.write(encoded(words));
  });
}

function encoded(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;
}

/** The whole replies so far; of arrays, their text. Errors keep their `-`. */
function parse(bytes: Buffer): string[] {
  const replies: string[] = [];
  let at = 0;
  for (;;) {
    const found = one(bytes, at);
    if (found === undefined) return replies;
    replies.push(found.text);
    at = found.end;
  }
}

function one(bytes: Buffer, at: number): { text: string; end: number } | undefined {
  const lineEnd = bytes.indexOf("\r\n", at);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString("utf8", at, lineEnd);
  const start = lineEnd + 2;
  const size = Number(line.slice(1));
  if (line.startsWith("$")) {
    if (size < 0) return { text: "", end: start };
    if (bytes.length < start + size + 2) return undefined;
    return { text: bytes.toString("utf8", start, start + size), end: start + size + 2 };
  }
  if (line.startsWith("*")) {
    const parts: string[] = [];
    let end = start;
    for (let n = 0; n < size; n += 1) {
      const part = one(bytes, end);
      if (part === undefined) return undefined;
      parts.push(part.text);
      end = part.end;
    }
    return { text: parts.join("\n"), end };
  }
  return { text: line.startsWith("-") ? line : line.slice(1), end: start };
}
