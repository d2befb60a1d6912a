import type { Dispatcher } from "undici";
import { readInTurn } from "./reads-in-turn.ts";

/** Bytes that may wait for their reader before the sender is told to stop. */
const WAITING_BYTES_MAX = 128 * 1024;
/** How long a response that has said all may take to end, so that its connection can be used again. */
const ENDING_MS = 1000;

export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * The handler of one call, and its response's body: bytes as they arrive, those that wait together. Leaving the loop, or
 * `destroy`, ends the call. Runs once a token, which is why no stream stands between.
 */
export class ResponseBody implements Dispatcher.DispatchHandler, AsyncIterableIterator<Uint8Array> {
  /** The status; rejects where none comes. */
  readonly status: Promise<number>;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#fail(this.#signal.reason);
  readonly #begun: PromiseWithResolvers<number>;
  /** Of the response, names in lower case; empty until `status` resolves. */
  headers: Headers = {};
  #controller: Dispatcher.DispatchController | undefined;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #ended = false;
  #unread = false;
  #failure: Error | undefined;
  #reader: PromiseWithResolvers<IteratorResult<Uint8Array, undefined>> | undefined;
  /** While it runs, bytes wait though there is a reader. */
  #gathering: NodeJS.Timeout | undefined;

  constructor(signal: AbortSignal) {
    this.#begun = Promise.withResolvers();
    this.status = this.#begun.promise;
    this.status.catch(() => undefined);
    this.#signal = signal;
    if (signal.aborted) this.#onAbort();
    else signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#failure) controller.abort(this.#failure);
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number, headers: Headers): void {
    if (status < 200) return;
    // The same headers once more, a buffer each name and value, for as long as the response takes.
    controller.rawHeaders = null;
    this.headers = headers;
    this.#begun.resolve(status);
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    if (this.#reader && !this.#gathering) {
      this.#hand({ done: false, value: bytes });
      return;
    }
    if (this.#unread) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (this.#waitingBytes > WAITING_BYTES_MAX) controller.pause();
  }

  onResponseEnd(): void {
    this.#end();
    if (!this.#handWaiting()) this.#hand({ done: true, value: undefined });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#fail(error);
  }

  next(): Promise<IteratorResult<Uint8Array, undefined>> {
    const value = this.#take();
    if (value) return Promise.resolve({ done: false, value });
    if (this.#failure) return Promise.reject(this.#failure);
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    this.#reader = Promise.withResolvers();
    return this.#reader.promise;
  }

  /** As `next`, but what arrives within `ms` is read at once after it; so is the response's end. */
  gather(ms: number): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#ended) return this.next();
    this.#reader = Promise.withResolvers();
    this.#gathering = setTimeout(this.#onGathered, ms);
    this.#controller?.pause();
    return this.#reader.promise;
  }

  return(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.destroy();
    return Promise.resolve({ done: true, value: undefined });
  }

  /** All that is left of it. @throws Error: more than `bytesMax`, or what cut it */
  async whole(bytesMax: number): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    let length = 0;
    // Most answers are there along with their head: nothing is waited for.
    while (!this.#ended || this.#failure || this.#waiting.length > 0) {
      const piece = this.#take() ?? (await this.next()).value;
      if (!piece) break;
      pieces.push(piece);
      length += piece.length;
      if (length > bytesMax) {
        this.destroy();
        throw new Error(`more than ${bytesMax} bytes`);
      }
    }
    return pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces, length);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Nothing more is wanted: what has not arrived is not waited for. */
  destroy(): void {
    if (!this.#ended) this.#fail(new Error("nobody reads the response any more"));
  }

  /** All has been said: the end is not waited for here, but the connection is kept where it comes soon. */
  leave(): void {
    if (this.#ended) return;
    this.#unread = true;
    this.#waiting = [];
    this.#controller?.resume();
    setTimeout(() => this.destroy(), ENDING_MS).unref();
  }

  /** What waits for its reader; null: nothing. */
  #take(): Buffer | null {
    const [first] = this.#waiting;
    if (!first) return null;
    const taken = this.#waiting.length === 1 ? first : Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#controller?.resume();
    return taken;
  }

  readonly #onGathered = () => readInTurn(this.#onTurn);

  /** The socket is read before the immediates of the event loop's next turn. */
  readonly #onTurn = () => {
    this.#controller?.resume();
    setImmediate(this.#onRead);
  };

  readonly #onRead = () => {
    this.#gathering = undefined;
    this.#handWaiting();
  };

  /** False: nothing waits, or nobody reads. */
  #handWaiting(): boolean {
    const reader = this.#reader;
    if (!reader || this.#waiting.length === 0) return false;
    // Taking lets more arrive, within the call, which is not for this reader.
    this.#reader = undefined;
    const value = this.#take();
    if (value) reader.resolve({ done: false, value });
    return true;
  }

  #hand(result: IteratorResult<Uint8Array, undefined>): void {
    this.#reader?.resolve(result);
    this.#reader = undefined;
  }

  #end(): void {
    this.#ended = true;
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    this.#signal.removeEventListener("abort", this.#onAbort);
  }

  #fail(error: Error): void {
    if (this.#ended) return;
    this.#end();
    this.#failure = error;
    this.#begun.reject(error);
    if (!this.#handWaiting()) this.#reader?.reject(error);
    this.#reader = undefined;
    this.#controller?.abort(error);
  }
}
