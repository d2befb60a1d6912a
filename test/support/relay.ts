import type { AddressInfo } from "node:net";
import { connect, createServer, type Socket } from "node:net";

export interface Relay {
  readonly port: number;
  /** Resets every connection, as a firewall does that has forgotten them. */
  drop(): void;
  /** From now on nothing passes on the connections that are there, of which neither side is told, as when a machine is gone. */
  silence(): void;
  close(): Promise<void>;
}

/** Passes connections on to another port of loopback. */
export async function relay(to: number): Promise<Relay> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(to, "127.0.0.1");
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.pipe(other);
      one.on("error", () => other.destroy());
      one.on("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const drop = () => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const silence = () => {
    for (const socket of sockets) socket.unpipe().resume();
  };
  return {
    port: (server.address() as AddressInfo).port,
    drop,
    silence,
    async close() {
      drop();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
