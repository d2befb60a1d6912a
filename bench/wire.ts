import { connect, createServer, type Server, type Socket } from "node:net";

/**
 * Just enough of HTTP/1.1 for the bench's own ends, on plain sockets: kept-alive connections, one request at a time, bodies with a
 * length or in chunks. Node's own client and server would take several times as long a token, on the one core that they share,
 * and the time that a token waits for them would be measured as the server's.
 */
export interface Answering {
  /** Whole. */
  json(body: string): void;
  notFound(): void;
  /** Server-sent events begin. */
  begin(): void;
  write(piece: Uint8Array): void;
  end(): void;
  readonly isGone: boolean;
}

/** A piece of a body as `Answering.write` sends it. */
export function chunkOf(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
}

const KEEP = "connection: keep-alive\r\nkeep-alive: timeout=60\r\n";
const EVENTS = `HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n${KEEP}transfer-encoding: chunked\r\n\r\n`;
const LAST_CHUNK = "0\r\n\r\n";
const TAIL = `\r\n${LAST_CHUNK}`;

/** Answers requests with a body of known length, or none. */
export function answerRequests(onRequest: (path: string, body: string, answer: Answering) => void): Server {
  return createServer({ noDelay: true }, (socket) => {
    let waiting: Buffer = Buffer.alloc(0);
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes) => {
      waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes]);
      for (let head = headOf(waiting); head; head = headOf(waiting)) {
        const end = head.bodyAt + (head.length || 0);
        if (waiting.length < end) return;
        const body = waiting.toString("utf8", head.bodyAt, end);
        waiting = waiting.subarray(end);
        const [, path = ""] = head.first.split(" ");
        onRequest(path, body, answering(socket));
      }
    });
  });
}

function answering(socket: Socket): Answering {
  return {
    json(body) {
      const length = Buffer.byteLength(body);
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${KEEP}content-length: ${length}\r\n\r\n${body}`,
      );
    },
    notFound: () => void socket.write(`HTTP/1.1 404 Not Found\r\n${KEEP}content-length: 0\r\n\r\n`),
    begin: () => void socket.write(EVENTS),
    write: (piece) => void socket.write(piece),
    end: () => void socket.write(LAST_CHUNK),
    get isGone() {
      return socket.destroyed;
    },
  };
}

interface Head {
  readonly first: string;
  readonly bodyAt: number;
  /** Of the body; NaN: in chunks. */
  readonly length: number;
}

/** Null: not all of it is there. */
function headOf(bytes: Buffer): Head | null {
  const at = bytes.indexOf("\r\n\r\n");
  if (at < 0) return null;
  const text = bytes.toString("latin1", 0, at);
  const [, length] = /\r\ncontent-length: *(\d+)/i.exec(text) ?? [];
  return { first: text.slice(0, text.indexOf("\r\n")), bodyAt: at + 4, length: Number(length ?? Number.NaN) };
}

/** A response: its body as it was sent, chunk sizes included, one character a byte; and what a reader would find in it. */
export interface Received {
  readonly body: string;
  /** `performance.now()` when the mark had come; 0: never. */
  readonly markAt: number;
}

/** Connections to one server that are used again. */
export class Connections {
  readonly #idle: Socket[] = [];
  readonly #host: string;
  readonly #port: number;

  constructor(url: string) {
    const { hostname, port } = new URL(url);
    this.#host = hostname;
    this.#port = Number(port);
  }

  /** Posts JSON. `mark`: what is waited for in the body, ASCII. Rejects where the status is not 200 or the connection is cut. */
  post(path: string, body: object, mark?: RegExp): Promise<Received> {
    const socket = this.#idle.pop() ?? connect({ host: this.#host, port: this.#port, noDelay: true });
    const text = JSON.stringify(body);
    const head = `POST ${path} HTTP/1.1\r\nhost: ${this.#host}:${this.#port}\r\ncontent-type: application/json\r\naccept: text/event-stream, application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n`;
    return new Promise((resolve, reject) => {
      const fail = (reason: string) => {
        socket.removeAllListeners();
        socket.on("error", () => undefined);
        socket.destroy();
        reject(new Error(`${path}: ${reason}`));
      };
      const response = new Response(mark);
      socket.on("error", (error) => fail(error.message));
      socket.on("close", () => fail("the connection was closed"));
      socket.on("data", (bytes) => {
        response.take(bytes);
        if (response.isRefused) fail(response.start());
        if (!response.isWhole) return;
        socket.removeAllListeners();
        socket.on("error", () => this.#drop(socket)).on("close", () => this.#drop(socket));
        this.#idle.push(socket);
        resolve(response.received());
      });
      socket.write(head + text);
    });
  }

  #drop(socket: Socket): void {
    const at = this.#idle.indexOf(socket);
    if (at >= 0) this.#idle.splice(at, 1);
    socket.destroy();
  }
}

class Response {
  readonly #mark: RegExp | undefined;
  #text = "";
  #tail = "";
  #head: Head | null = null;
  #markAt = 0;

  constructor(mark: RegExp | undefined) {
    this.#mark = mark;
  }

  take(bytes: Buffer): void {
    this.#text += bytes.toString("latin1");
    // Looked at by itself: the whole text would be copied together for every piece.
    this.#tail = (this.#tail + bytes.toString("latin1", Math.max(0, bytes.length - TAIL.length))).slice(-TAIL.length);
    this.#head ??= headOf(Buffer.from(this.#text, "latin1"));
    if (this.#mark && this.#markAt === 0 && this.#mark.test(this.#text)) this.#markAt = performance.now();
  }

  get isRefused(): boolean {
    return this.#head !== null && !this.#head.first.startsWith("HTTP/1.1 200");
  }

  get isWhole(): boolean {
    if (!this.#head) return false;
    const { bodyAt, length } = this.#head;
    return Number.isNaN(length) ? this.#tail === TAIL : this.#text.length >= bodyAt + length;
  }

  start(): string {
    return this.#text.slice(0, 300);
  }

  received(): Received {
    return { body: this.#text.slice(this.#head?.bodyAt ?? 0), markAt: this.#markAt };
  }
}
