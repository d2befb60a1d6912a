import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { buffer } from "node:stream/consumers";

/** Requests of one search, as bytes. */
export type Requests = readonly Buffer[];

export interface Recorder {
  /** Stands for the server. */
  readonly url: string;
  /** What was sent since the last time. */
  taken(): Requests;
  /**
   * Sends them over sockets that stay open; of an answer nothing is read but where it ends. What is measured so is what a search
   * costs before anything is done with it.
   */
  ask(requests: Requests): Promise<void>;
  close(): void;
}

/** Passes requests over HTTP on to a server, and keeps them. */
export async function recordHttp(serverUrl: string): Promise<Recorder> {
  const { host } = new URL(serverUrl);
  let kept: Buffer[] = [];
  const relay = createServer(async (request, response) => {
    const { method = "GET", url = "/", headers } = request;
    const body = await buffer(request);
    const type = headers["content-type"] ?? "application/json";
    const head = `${method} ${url} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: ${type}\r\ncontent-length: ${body.length}\r\n\r\n`;
    kept.push(Buffer.concat([Buffer.from(head), body]));
    const answer = await fetch(serverUrl + url, {
      method,
      headers: { "content-type": type },
      ...(body.length > 0 && { body }),
    });
    response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
  });
  await once(relay.listen(0, "127.0.0.1"), "listening");
  const client = new BareClient(serverUrl);
  return {
    url: `http://127.0.0.1:${(relay.address() as AddressInfo).port}`,
    taken() {
      const taken = kept;
      kept = [];
      return taken;
    },
    ask: (requests) => client.ask(requests),
    close() {
      client.close();
      relay.close().closeAllConnections();
    },
  };
}

class BareClient {
  readonly #host: string;
  readonly #port: number;
  readonly #idle: Socket[] = [];

  constructor(serverUrl: string) {
    const { hostname, port } = new URL(serverUrl);
    this.#host = hostname;
    this.#port = Number(port);
  }

  async ask(requests: Requests): Promise<void> {
    const socket = this.#idle.pop() ?? (await this.#connected());
    for (const request of requests) await exchange(socket, request);
    this.#idle.push(socket);
  }

  close(): void {
    for (const socket of this.#idle) socket.destroy();
  }

  async #connected(): Promise<Socket> {
    const socket = connect(this.#port, this.#host).setNoDelay();
    await once(socket, "connect");
    return socket;
  }
}

function exchange(socket: Socket, request: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    let left: number | null = null;
    const onData = (bytes: Buffer) => {
      left = (left ?? lengthOf(bytes)) - bytes.length;
      if (left > 0) return;
      socket.off("data", onData);
      socket.off("error", reject);
      resolve();
    };
    socket.on("data", onData).on("error", reject);
    socket.write(request);
  });
}

/** Of a whole answer that begins so. */
function lengthOf(bytes: Buffer): number {
  const head = bytes.subarray(0, bytes.indexOf("\r\n\r\n") + 4).toString("latin1");
  return head.length + Number(/content-length: (\d+)/i.exec(head)?.[1]);
}
