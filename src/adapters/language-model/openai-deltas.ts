import type { GenerateDelta } from "../../ports/language-model.ts";
import { failed, readText } from "../http/post.ts";
import type { ResponseBody } from "../http/response-body.ts";
import type { LoopLoad } from "./loop-load.ts";
import { ChatStream, notStreamed } from "./openai-stream.ts";

/** Of a response that is no stream, what is read. */
const WHOLE_CHARACTERS_MAX = 100_000;

/** What follows the reason for the end, counts and [DONE], is not waited for any longer. */
const TRAILER_MS = 1000;
/** No stream of events, whatever it says. */
const WHOLE = /^(?:application\/(?:problem\+)?(?:json|xml)|text\/(?:html|xml))/;

type Result = IteratorResult<GenerateDelta, undefined>;

/** What arrives within it is read at once while the loop is busy: a reader sees text grow 20 times a second. */
const GATHER_MS = 50;

/** The deltas of one answer, which is asked for with the first `next`. No async generator: it runs once a token. */
export class ChatDeltas implements AsyncIterableIterator<GenerateDelta, undefined> {
  /** Until it is open: the prompt is let go then. */
  #open: (() => Promise<ResponseBody>) | undefined;
  readonly #signal: AbortSignal;
  readonly #load: Pick<LoopLoad, "isBusy">;
  readonly #reading = new ChatStream();
  #body: ResponseBody | undefined;
  #hasText = false;
  #trailing: Promise<IteratorResult<Uint8Array, undefined>> | undefined;
  #trailingTimer: NodeJS.Timeout | undefined;
  /** What is left to say when nothing more is read. */
  #last: GenerateDelta[] | undefined;

  constructor(open: () => Promise<ResponseBody>, signal: AbortSignal, load: Pick<LoopLoad, "isBusy">) {
    this.#open = open;
    this.#signal = signal;
    this.#load = load;
  }

  next(): Promise<Result> {
    return this.#last ? this.#following() : this.#body ? this.#read(this.#body) : this.#first();
  }

  async return(): Promise<Result> {
    this.#leave([]);
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async #first(): Promise<Result> {
    const opening = this.#open?.();
    this.#open = undefined;
    const body = await opening;
    if (!body) return { done: true, value: undefined };
    if (this.#last) {
      body.destroy();
      return this.#following();
    }
    const { "content-type": type, "content-encoding": encoding = "identity" } = body.headers;
    const [whole] = encoding === "identity" ? (WHOLE.exec(String(type)) ?? []) : ["an encoding that nobody asked for"];
    if (whole !== undefined) {
      this.#last = [];
      throw notStreamed(whole, await readText(body, WHOLE_CHARACTERS_MAX).catch(() => ""));
    }
    this.#body = body;
    return this.#read(body);
  }

  /** No `for await` over the body, which would end the connection at [DONE] along with the loop. */
  #read(body: ResponseBody): Promise<Result> {
    if (this.#reading.isDone) return this.#finish();
    const bytes = this.#reading.failure ? Promise.reject(this.#reading.failure) : this.#bytes(body);
    return bytes.then(this.#onBytes, this.#onFailure);
  }

  #bytes(body: ResponseBody): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#reading.hasFinished) return Promise.race([body.next(), this.#trailer()]);
    return this.#hasText && this.#load.isBusy() ? body.gather(GATHER_MS) : body.next();
  }

  /** The end, so long after it was first asked for. */
  #trailer(): Promise<IteratorResult<Uint8Array, undefined>> {
    this.#trailing ??= new Promise((resolve) => {
      this.#trailingTimer = setTimeout(resolve, TRAILER_MS, { done: true, value: undefined });
    });
    return this.#trailing;
  }

  readonly #onBytes = (bytes: IteratorResult<Uint8Array, undefined>): Result | Promise<Result> => {
    if (bytes.done) return this.#finish();
    const value = this.#reading.feed(bytes.value);
    if (value?.type === "text") this.#hasText = true;
    return value ? { done: false, value } : this.next();
  };

  /** Whatever breaks after the upstream has said how the answer ended takes nothing from it. */
  readonly #onFailure = (cause: unknown): Promise<Result> => {
    if (this.#reading.hasFinished && !this.#signal.aborted) return this.#finish();
    this.#leave([]);
    throw failed("broke off its answer", cause, this.#signal);
  };

  /** @throws RaglineError `dependency_failed`: the upstream never said that it was done. */
  async #finish(): Promise<Result> {
    this.#leave([]);
    this.#last = this.#reading.end();
    return this.#following();
  }

  async #following(): Promise<Result> {
    const value = this.#last?.shift();
    return value ? { done: false, value } : { done: true, value: undefined };
  }

  #leave(last: GenerateDelta[]): void {
    this.#last = last;
    clearTimeout(this.#trailingTimer);
    if (this.#reading.isDone) this.#body?.leave();
    else this.#body?.destroy();
    this.#body = undefined;
  }
}
