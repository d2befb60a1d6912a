import { setTimeout as sleep } from "node:timers/promises";
import { within } from "../../deadlines.ts";
import { RaglineError, toRaglineError } from "../../errors.ts";
import type { CallOptions } from "../../types.ts";
import { HEALTH, type Method, methodOf, STAGE, STAGE_SERVICES } from "../../wire/definitions.ts";
import type { Client } from "../../wire/library.ts";
import type { DescribeResponse } from "../../wire/messages.ts";
import { type GrpcOptions, openChannel } from "./channel.ts";
import { ServerStream } from "./server-stream.ts";
import type { Siblings } from "./siblings.ts";
import { unary } from "./unary.ts";

const PAUSE_FIRST_MS = 100;
const DESCRIBE_MS = 5000;
const WATCH = methodOf(HEALTH, "Watch");
const DESCRIBE = methodOf(STAGE, "Describe");

/** One endpoint of a stage: its connection, its health as it tells it (`grpc.health.v1`), and what it says it serves. */
export class GrpcEndpoint {
  readonly name: string;
  readonly #options: GrpcOptions;
  readonly #client: Client;
  readonly #siblings: Siblings;
  readonly #closing = new AbortController();
  /** Null: not known yet. */
  #isHealthy: boolean | null = null;
  #description: DescribeResponse | null = null;
  #failure: RaglineError | null = null;
  readonly #tried = Promise.withResolvers<void>();

  constructor(name: string, options: GrpcOptions, siblings: Siblings) {
    this.name = name;
    this.#options = options;
    this.#siblings = siblings;
    this.#client = openChannel(name, options);
    siblings.add(this);
    void this.#watch();
  }

  /** What it said of itself since it was last reached. */
  get description(): DescribeResponse | null {
    return this.#description;
  }

  get isHealthy(): boolean {
    return this.#isHealthy === true;
  }

  /** Resolves once it has been reached, or could not be. */
  get tried(): Promise<void> {
    return this.#tried.promise;
  }

  /** It has not been reached in time: no calls go there until it is. */
  passOver(): void {
    this.#isHealthy ??= false;
  }

  /** Whether calls may go there; also while that is not known yet. */
  serving(): boolean {
    return this.#isHealthy === null || (this.#isHealthy && this.#siblings.dissent(this) === null);
  }

  /** Why calls should not go there; null: they may. */
  problem(): string | null {
    if (this.#isHealthy === null) return `${this.name} has not been reached yet`;
    const { step } = this.#options;
    if (this.#isHealthy) return this.#siblings.dissent(this);
    return `${this.name}: ${this.#failure?.message ?? this.#description?.problem ?? `the ${step} stage is not ready`}`;
  }

  /** The same for the log: what the connection says. */
  reason(): string | null {
    const cause = this.#failure?.cause;
    return cause instanceof Error ? cause.message : this.problem();
  }

  /** @throws RaglineError `dependency_failed`: it cannot be reached, or serves another stage or model. */
  async described(call: CallOptions): Promise<DescribeResponse> {
    const description = this.#description ?? (await this.#describe(call));
    const dissent = this.#siblings.dissent(this);
    if (dissent === null) return description;
    throw new RaglineError("dependency_failed", dissent, { step: this.#options.step, retryable: false });
  }

  /** One call with one answer, once it is known what is called. */
  async unary<R>(method: Method, request: object, call: CallOptions): Promise<R> {
    if (!this.#description || this.#siblings.dissent(this) !== null) await this.described(call);
    return (await this.#unary(method, request, call)) as R;
  }

  async *stream<R>(method: Method, request: object, call: CallOptions): AsyncGenerator<R, void, undefined> {
    await this.described(call);
    try {
      yield* new ServerStream<R>(this.#client, this.name, method, request, call);
    } catch (thrown) {
      throw toRaglineError(thrown, this.#options.step);
    }
  }

  /** What it said is no longer so. */
  forget(): void {
    this.#description = null;
  }

  close(): void {
    this.#closing.abort();
    this.#client.close();
  }

  async #describe(call: CallOptions): Promise<DescribeResponse> {
    const { step } = this.#options;
    const description = (await this.#unary(DESCRIBE, {}, call)) as DescribeResponse;
    if (description.stage !== step) {
      const message = `${step}.endpoints: ${this.name} serves ${description.stage}, not ${step}`;
      throw new RaglineError("dependency_failed", message, { step, retryable: false });
    }
    this.#description = description;
    this.#siblings.heard(description);
    return description;
  }

  async #unary(method: Method, request: object, call: CallOptions): Promise<unknown> {
    try {
      return await unary(this.#client, this.name, method, request, call);
    } catch (thrown) {
      throw toRaglineError(thrown, this.#options.step);
    }
  }

  /** Follows its health until closed. A connection that breaks is taken up again after 0.1 s, 0.2 s … with jitter. */
  async #watch(): Promise<void> {
    const { signal } = this.#closing;
    for (let pauseMs = PAUSE_FIRST_MS; !signal.aborted; pauseMs *= 2) {
      try {
        await this.#follow(signal, () => {
          pauseMs = PAUSE_FIRST_MS;
        });
      } catch (thrown) {
        this.#failure = toRaglineError(thrown, this.#options.step);
      }
      if (signal.aborted) return;
      this.#isHealthy = false;
      this.#tried.resolve();
      const longest = Math.min(pauseMs, this.#options.reconnectMaxMs);
      await sleep(longest * (0.5 + Math.random() / 2), undefined, { signal }).catch(() => undefined);
    }
  }

  async #follow(signal: AbortSignal, onHealthy: () => void): Promise<void> {
    const service = STAGE_SERVICES[this.#options.step];
    const updates = new ServerStream<{ readonly status: string }>(
      this.#client,
      this.name,
      WATCH,
      { service },
      { signal },
    );
    for await (const update of updates) {
      // What it serves may have changed while it was away, or it was not ready to say.
      const isServing = update.status === "SERVING";
      await this.#describe({ signal: within(DESCRIBE_MS, signal) });
      this.#failure = null;
      this.#isHealthy = isServing;
      this.#tried.resolve();
      if (isServing) onHealthy();
    }
  }
}
