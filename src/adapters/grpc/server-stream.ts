import { leftBy, type RaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";
import type { Method } from "../../wire/definitions.ts";
import type { Client, ClientReadableStream, Metadata, ServiceError } from "../../wire/library.ts";
import { FIRST_TOKEN_MS, fromStatus } from "../../wire/status.ts";
import { report, tracedMetadata } from "./unary.ts";

/**
 * One call with many answers, as a plain iterator: it runs once a token. It is torn down when its reader stops or leaves. Items
 * that came before a failure are still given.
 */
export class ServerStream<R> implements AsyncIterableIterator<R> {
  readonly #call: CallOptions;
  readonly #stream: ClientReadableStream<object> | null;
  readonly #onAbort = () => this.#leave(leftBy(this.#call.signal));
  #failure: RaglineError | null = null;
  #isOver = false;
  #wake: (() => void) | null = null;

  constructor(client: Client, address: string, method: Method, request: object, call: CallOptions) {
    this.#call = call;
    const { signal } = call;
    if (signal.aborted) {
      this.#stream = null;
      this.#failure = leftBy(signal);
      return;
    }
    const { path, requestSerialize, responseDeserialize } = method;
    this.#stream = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      firstToken(call),
    );
    this.#stream.on("readable", () => this.#wake?.());
    this.#stream.on("end", () => this.#end(null));
    this.#stream.on("error", (error: ServiceError) => this.#end(fromStatus(error, address, path)));
    this.#stream.on("status", ({ metadata }) => report(metadata, call));
    signal.addEventListener("abort", this.#onAbort, { once: true });
  }

  async next(): Promise<IteratorResult<R, undefined>> {
    for (;;) {
      const item = this.#stream?.read() as R | null | undefined;
      if (item !== null && item !== undefined) return { done: false, value: item };
      if (this.#failure) throw this.#failure;
      if (this.#isOver) return { done: true, value: undefined };
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      await promise;
    }
  }

  async return(): Promise<IteratorResult<R, undefined>> {
    this.#stream?.cancel();
    this.#end(null);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  #leave(reason: RaglineError): void {
    this.#stream?.cancel();
    this.#end(reason);
  }

  #end(failure: RaglineError | null): void {
    this.#call.signal.removeEventListener("abort", this.#onAbort);
    if (!this.#isOver) this.#failure = failure;
    this.#isOver = true;
    this.#wake?.();
  }
}

/** The deadline is the first item's: gRPC's own would cut the whole. */
function firstToken({ deadline }: CallOptions): Metadata {
  const metadata = tracedMetadata();
  if (deadline !== undefined) metadata.set(FIRST_TOKEN_MS, Math.max(0, deadline - performance.now()).toFixed(0));
  return metadata;
}
