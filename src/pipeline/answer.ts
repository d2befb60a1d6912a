import type { RaglineError } from "../errors.ts";
import type { Run } from "../run.ts";
import type { AnswerEvent, FinishReason, Source, StepSpan, TokenLedger, TurnStatus, Usage } from "../types.ts";
import type { Question, Stages } from "./stages.ts";

/** What is known of an answer so far; it is stored however the request ends. */
export interface Answer {
  query: string;
  text: string;
  status: TurnStatus;
  finishReason: FinishReason;
  sources: readonly Source[];
  /** Of question and answer, as stored with the turn. */
  tokens: number;
  usage: Usage | null;
  ledger: TokenLedger | null;
  cached: boolean;
  /** Of its conversation, as its question found it; 0: there was none. */
  foundVersion: number;
}

/** An answer that has not begun: whoever leaves now leaves it interrupted. */
export function unfinished(question: Question): Answer {
  return {
    query: question.question,
    text: "",
    status: "interrupted",
    finishReason: "stop",
    sources: [],
    tokens: 0,
    usage: null,
    ledger: null,
    cached: false,
    foundVersion: 0,
  };
}

/** Notes the failure that ends an answer. */
export function failed(answer: Answer, run: Run, thrown: unknown): RaglineError {
  const error = run.fail(thrown);
  answer.status = error.code === "cancelled" ? "interrupted" : "failed";
  return error;
}

export function answerStart({ requestId, sessionId, history }: Question): AnswerEvent {
  return { type: "answer-start", requestId, ...(history === null && { sessionId }) };
}

export function answerEnd(answer: Answer, stages: Stages, run: Run): AnswerEvent {
  const totalMs = run.timeline.totalMs();
  return {
    type: "answer-end",
    finishReason: answer.finishReason,
    usage: answer.usage ?? counted(answer, stages),
    timings: run.timeline.timings,
    spans: inOrder(run.timeline.spans),
    calls: run.calls,
    firstTextMs: run.firstTextMs,
    totalMs,
    ledger: answer.ledger,
    degraded: run.degraded,
    cached: answer.cached,
  };
}

export function answerError(error: RaglineError, question: Question, run: Run): AnswerEvent {
  const totalMs = run.timeline.totalMs();
  const { calls, degraded } = run;
  const { timings, spans } = run.timeline;
  const body = error.body(question.requestId);
  return { type: "answer-error", error: body, timings, spans: inOrder(spans), calls, totalMs, degraded };
}

function inOrder(spans: readonly StepSpan[]): StepSpan[] {
  return spans.toSorted((a, b) => a.startMs - b.startMs);
}

/** For models that report no usage; a cached answer used no model. */
function counted({ cached, ledger, text }: Answer, { counter }: Stages): Usage {
  if (cached) return { promptTokens: 0, completionTokens: 0 };
  return { promptTokens: ledger?.total ?? 0, completionTokens: counter.count(text) };
}
