import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";

export interface ChannelOptions {
  /** `http[s]://host:port`. */
  readonly url: string;
  /** Of every call. */
  readonly headers: Readonly<Record<string, string>>;
  /** PEM of the authority, where the system does not know it. */
  readonly ca?: Buffer | undefined;
  readonly silentMs?: number;
}

/** What gRPC says of a call that failed. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  readonly code: number;
  readonly details: string;

  constructor(code: number, details: string, cause?: unknown) {
    super(details, { cause });
    this.code = code;
    this.details = details;
  }
}

/** A call under way. */
export interface UnaryCall {
  readonly answer: Promise<Buffer>;
  /** The server is told, too. */
  cancel(): void;
}

const INTERNAL = 13;
const UNAVAILABLE = 14;
const PREFIX_BYTES = 5;
const WINDOW_BYTES = 8 << 20;
/** A connection that has given nothing for so long, though something was asked, is left for a new one. */
const SILENT_MS = 10_000;

/**
 * gRPC's calls of one message each way, on HTTP/2 as Node has it: half the CPU of the library that can everything else. Connects with
 * the first call, and again with the first one after a connection was lost; a call that was on its way then fails as unavailable.
 */
export class MilvusChannel {
  readonly #options: ChannelOptions;
  #session: ClientHttp2Session | null = null;
  /** The first call after which nothing came, by `performance.now()`. */
  #unheardSince = Number.POSITIVE_INFINITY;

  constructor(options: ChannelOptions) {
    this.#options = options;
  }

  /** @throws CallFailure */
  call(path: string, message: Buffer, timeoutMs: number): UnaryCall {
    const session = this.#connected();
    const stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      "grpc-timeout": `${timeoutMs}m`,
      ...this.#options.headers,
    });
    this.#unheardSince = Math.min(this.#unheardSince, performance.now());
    const answer = answerOf(stream);
    stream.once("response", () => {
      this.#unheardSince = Number.POSITIVE_INFINITY;
    });
    const prefix = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
    prefix[0] = 0;
    prefix.writeUInt32BE(message.length, 1);
    message.copy(prefix, PREFIX_BYTES);
    stream.end(prefix);
    const cancel = () => {
      stream.close(constants.NGHTTP2_CANCEL);
      const { silentMs = SILENT_MS } = this.#options;
      if (performance.now() - this.#unheardSince > silentMs) session.destroy();
    };
    return { answer, cancel };
  }

  close(): void {
    this.#session?.destroy();
    this.#session = null;
  }

  #connected(): ClientHttp2Session {
    if (this.#session && !this.#session.closed && !this.#session.destroyed) return this.#session;
    const { url, ca } = this.#options;
    const session = connect(url, { settings: { initialWindowSize: WINDOW_BYTES }, ...(ca && { ca }) });
    const forget = () => {
      if (this.#session === session) this.#session = null;
    };
    session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
    session.on("error", forget).on("goaway", forget).on("close", forget);
    // Calls have timers of their own: an idle connection keeps no process alive.
    session.unref();
    this.#session = session;
    this.#unheardSince = Number.POSITIVE_INFINITY;
    return session;
  }
}

function answerOf(stream: ClientHttp2Stream): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let said: CallFailure | null = null;
    let isEnded = false;
    const onHeaders = (headers: Readonly<Record<string, unknown>>) => {
      const { ":status": http = 200, "grpc-status": status, "grpc-message": details = "" } = headers;
      if (http !== 200) said = new CallFailure(UNAVAILABLE, `HTTP status ${http}`);
      if (status === undefined) return;
      isEnded = true;
      if (status !== "0") said = new CallFailure(Number(status), String(details));
    };
    stream.on("response", onHeaders).on("trailers", onHeaders);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", (cause) => reject(new CallFailure(UNAVAILABLE, cause.message, cause)));
    stream.on("close", () => {
      if (said) return reject(said);
      if (!isEnded) return reject(new CallFailure(UNAVAILABLE, "the connection was lost"));
      const [first = Buffer.alloc(0)] = chunks;
      const all = chunks.length > 1 ? Buffer.concat(chunks) : first;
      const isWhole = all.length >= PREFIX_BYTES && all[0] === 0 && all.length === PREFIX_BYTES + all.readUInt32BE(1);
      if (isWhole) resolve(all.subarray(PREFIX_BYTES));
      else reject(new CallFailure(INTERNAL, "not one message, as it is"));
    });
  });
}
