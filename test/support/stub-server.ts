import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface StubRequest {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** The body, parsed as JSON. */
  readonly body: Record<string, unknown>;
}

export type StubHandler = (request: StubRequest, response: ServerResponse) => void | Promise<void>;

export interface StubServer {
  readonly url: string;
  readonly requests: readonly StubRequest[];
  /** Milliseconds (`performance.now()`) at which a response's connection was lost before the response was complete. */
  readonly abandonedAt: readonly number[];
  /** Answers the next requests in this way. */
  answer(handler: StubHandler): void;
  close(): Promise<void>;
}

/** A real HTTP server, on a free port unless one is given, that answers as it is told. */
export async function stubServer(initial: StubHandler, at = 0): Promise<StubServer> {
  let handler = initial;
  const requests: StubRequest[] = [];
  const abandonedAt: number[] = [];
  const sockets = new Set<Socket>();
  const server = createServer(async (incoming, response) => {
    response.once("close", () => {
      if (!response.writableFinished) abandonedAt.push(performance.now());
    });
    const bytes: Buffer[] = [];
    for await (const chunk of incoming) bytes.push(chunk as Buffer);
    const text = Buffer.concat(bytes).toString("utf8");
    const request = { path: incoming.url ?? "", headers: incoming.headers, body: text ? JSON.parse(text) : {} };
    requests.push(request);
    await handler(request, response);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(at, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    requests,
    abandonedAt,
    answer(next) {
      handler = next;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
}
