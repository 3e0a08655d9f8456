/** Ports of the loopback that nobody uses, for servers. */
import { createServer } from "node:net";

/** A server of a Cluster also takes the port 10,000 above its own. */
const LOWEST = 20_000;
const HIGHEST = 45_000;
const BUS = 10_000;

/** A port that is free, with the one of the cluster bus. Below the range that outgoing connections use where possible. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if ((await isFree(port)) && (await isFree(port + BUS))) return port;
  }
  throw new Error("found no free port");
}

function isFree(port: number): Promise<boolean> {
  return new Promise((done) => {
    const server = createServer();
    server.once("error", () => done(false));
    server.listen(port, "127.0.0.1", () => server.close(() => done(true)));
  });
}
