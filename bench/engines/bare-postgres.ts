import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Recorder, Requests } from "./bare.ts";

/** What the server says last: it is ready for the next query, and in no transaction. */
const READY = Buffer.from("Z\0\0\0\x05I", "latin1");
const PARSE = "P".charCodeAt(0);

/** Passes what a client says on to a server, and keeps it: what is sent at once is one request. */
export async function recordPostgres(serverUrl: string): Promise<Recorder> {
  const { hostname, port } = new URL(serverUrl);
  let startup: Buffer | null = null;
  const statements = new Map<string, Buffer>();
  let kept: Buffer[] = [];
  const relay = createServer((socket) => {
    const server = connect(Number(port), hostname).setNoDelay();
    let isBegun = false;
    socket.setNoDelay().on("data", (bytes: Buffer) => {
      server.write(bytes);
      if (!isBegun) startup ??= bytes;
      else kept.push(withoutParsing(bytes, statements));
      isBegun = true;
    });
    server.on("data", (bytes) => socket.write(bytes));
    const drop = () => {
      socket.destroy();
      server.destroy();
    };
    for (const one of [socket, server]) one.on("error", () => undefined).on("close", drop);
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const url = new URL(serverUrl);
  url.host = `127.0.0.1:${(relay.address() as AddressInfo).port}`;
  const idle: Socket[] = [];
  const connected = async () => {
    const socket = connect(Number(port), hostname).setNoDelay();
    await once(socket, "connect");
    await exchange(socket, startup ?? Buffer.alloc(0));
    await exchange(socket, Buffer.concat([...statements.values(), Buffer.from("S\0\0\0\x04", "latin1")]));
    return socket;
  };
  return {
    url: url.href,
    taken() {
      const taken = kept;
      kept = [];
      return taken;
    },
    async ask(requests: Requests) {
      const socket = idle.pop() ?? (await connected());
      for (const request of requests) await exchange(socket, request);
      idle.push(socket);
    },
    close() {
      relay.close();
      for (const socket of idle) socket.destroy();
    },
  };
}

/** The messages without those that prepare a statement, which are kept by what they say. */
function withoutParsing(bytes: Buffer, statements: Map<string, Buffer>): Buffer {
  const others: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + bytes.readUInt32BE(at + 1);
    const message = bytes.subarray(at, end);
    if (message[0] === PARSE) statements.set(message.toString("latin1"), message);
    else others.push(message);
    at = end;
  }
  return Buffer.concat(others);
}

function exchange(socket: Socket, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const onData = (bytes: Buffer) => {
      if (!bytes.subarray(-READY.length).equals(READY)) return;
      socket.off("data", onData);
      socket.off("error", reject);
      resolve();
    };
    socket.on("data", onData).on("error", reject);
    socket.write(request);
  });
}
