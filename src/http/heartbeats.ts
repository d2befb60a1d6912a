import type { ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";

declare module "fastify" {
  interface FastifyInstance {
    readonly heartbeats: Heartbeats;
  }
}

/** A comment, which clients of server-sent events pass over. */
const HEARTBEAT = ":\n\n";
const NEW = -1;

/**
 * Writes a comment to streams that have been silent, at the latest every `everyMs`, so that no proxy on the way takes one for dead while a
 * model thinks. One timer for all: it looks at how much their connections have written, and costs a token nothing.
 */
export class Heartbeats {
  /** Bytes that had been written at the last look. */
  readonly #streams = new Map<ServerResponse, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(everyMs: number) {
    this.#timer = setInterval(() => this.#beat(), everyMs / 2).unref();
  }

  /** @returns call it when the stream is over. */
  add(raw: ServerResponse): () => void {
    this.#streams.set(raw, NEW);
    return () => this.#streams.delete(raw);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #beat(): void {
    for (const [raw, before] of this.#streams) {
      const { socket } = raw;
      // Another response has the connection still, or the client has left, or has to read on first.
      if (!socket || raw.destroyed || socket.writableLength > 0) continue;
      if (socket.bytesWritten === before) raw.write(HEARTBEAT);
      this.#streams.set(raw, socket.bytesWritten);
    }
  }
}

export function keepAlive(app: FastifyInstance, everyMs: number): void {
  const heartbeats = new Heartbeats(everyMs);
  app.decorate("heartbeats", heartbeats);
  app.addHook("onClose", async () => heartbeats.close());
}
