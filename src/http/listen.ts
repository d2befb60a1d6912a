import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyInstance {
    /** What takes connections: `server`, and one more for each further address. `server` has the connections of all of them. */
    readonly listeners: Server[];
  }
}

/** IPv6 is off, or has no such address. */
const UNAVAILABLE: ReadonlySet<string | undefined> = new Set(["EADDRNOTAVAIL", "EAFNOSUPPORT"]);

/** Closing waits for the connections of every listener. */
export function registerListeners(app: FastifyInstance): void {
  const listeners: Server[] = [app.server];
  app.decorate("listeners", listeners);
  const closeFurther = () => listeners.slice(1).map((one) => new Promise((closed) => one.close(closed)));
  app.addHook("preClose", async () => void closeFurther());
  app.addHook("onClose", async () => void (await Promise.all(closeFurther())));
}

/** `localhost`: each of its addresses, of which clients choose one. `port` 0: any free one of the first. */
export async function listenOn(app: FastifyInstance, host: string, port: number): Promise<void> {
  if (host !== "localhost") await listenOnAll(app, [host], port);
  else await listenOnAll(app, await addressesOf(host), port);
}

async function addressesOf(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true, order: "ipv4first" });
  return [...new Set(found.map(({ address }) => address))];
}

/** Of the addresses after the first those that this machine does not have are left out. */
export async function listenOnAll(
  app: FastifyInstance,
  [first, ...further]: readonly string[],
  port: number,
): Promise<void> {
  await app.listen({ port, ...(first !== undefined && { host: first }) });
  const { port: taken } = app.server.address() as AddressInfo;
  for (const host of further) {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      app.server.emit("connection", socket);
    });
    listener.listen({ host, port: taken });
    const failure = await once(listener, "listening").then(
      () => null,
      (thrown: NodeJS.ErrnoException) => thrown,
    );
    if (failure && !UNAVAILABLE.has(failure.code)) throw failure;
    if (failure) continue;
    app.listeners.push(listener);
    app.log.info(`Server listening at http://${host.includes(":") ? `[${host}]` : host}:${taken}`);
  }
}
