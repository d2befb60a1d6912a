import type { Dispatcher } from "undici";

/** A response as a whole. */
export interface Answer {
  readonly status: number;
  readonly text: string;
}

const BYTES_MAX = 64 * 1024 * 1024;

/**
 * One call over HTTP whose response is read as a whole, up to 64 MiB: what is called for every question takes less time so than
 * by a body that may be read piece by piece.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  /** Rejects where it breaks, or was left. */
  readonly answer: Promise<Answer>;
  readonly #settle: PromiseWithResolvers<Answer>;
  readonly #pieces: Buffer[] = [];
  #length = 0;
  #status = 0;
  #controller: Dispatcher.DispatchController | undefined;
  #left: Error | undefined;

  constructor() {
    this.#settle = Promise.withResolvers();
    this.answer = this.#settle.promise;
  }

  /** Nobody waits for it any more: its connection is closed. */
  leave(reason: Error): void {
    this.#left = reason;
    this.#controller?.abort(reason);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    if (this.#left) controller.abort(this.#left);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status;
  }

  onResponseData(controller: Dispatcher.DispatchController, bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    if (this.#length > BYTES_MAX) controller.abort(new Error(`more than ${BYTES_MAX} bytes`));
  }

  onResponseEnd(): void {
    const [only] = this.#pieces;
    const bytes = this.#pieces.length === 1 && only ? only : Buffer.concat(this.#pieces, this.#length);
    this.#settle.resolve({ status: this.#status, text: bytes.toString() });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#settle.reject(error);
  }
}
