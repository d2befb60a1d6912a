import type { RaglineError } from "./errors.ts";
import type { StepTotal } from "./timeline.ts";
import type { AnswerEvent, Degradation, ModelCall, Step, StepSpan } from "./types.ts";

/** Makes what a step calls part of a trace. */
export interface StepTracer {
  begin(step: Step): StepTrace;
}

export interface StepTrace {
  /** What `call` begins belongs to the step. */
  within<T>(call: () => T): T;
  end(span: StepSpan, error: RaglineError | undefined): void;
}

/** Told of a run as it goes; never once a token. */
export interface RunObserver {
  /** Each is followed by an `onStep`. */
  onStepBegun?(step: Step): void;
  onStep?(ended: StepTotal): void;
  onModelCall(step: Step, call: ModelCall): void;
  onDegraded(degradation: Degradation): void;
  /** Told of an answer's last event before its reader sees it. */
  onEnd?(event: AnswerEvent): void;
}
