import type { StepTracer } from "../run-observer.ts";
import type { AnswerEvent } from "../types.ts";
import type { Outcome } from "./outcome.ts";

/** Where requests and answers stand in traces. Of a trace that is not sampled nothing is recorded, but whoever is called knows it. */
export interface Traces {
  /** A request of a client, in the trace that its headers name or in a new one. */
  request(method: string, route: string, headers: Readonly<Record<string, unknown>>): TracedRequest;
  /** A call of a stage over gRPC, `path` as gRPC has it, in the trace that its metadata names or in a new one. */
  call(path: string, metadata: Readonly<Record<string, unknown>>): TracedCall;
  /** An answer, within whatever is under way: a request, or what the caller of the library traces. */
  answer(attributes: Readonly<Record<string, string>>): TracedAnswer;
  /** Sends what has ended by now. */
  flush(): Promise<void>;
  /** Sends what is left to send, and no more afterwards. */
  close(): Promise<void>;
}

export interface TracedRequest {
  /** What `call` begins belongs to the request. */
  within<T>(call: () => T): T;
  end(status: number): void;
}

export interface TracedCall {
  /** What `call` begins belongs to the call. */
  within<T>(call: () => T): T;
  /** `code`: of the error that it ended with. */
  end(code: string | null): void;
}

export interface TracedAnswer extends StepTracer {
  end(last: AnswerEvent | undefined, outcome: Outcome): void;
}
