import type { RaglineError } from "../errors.ts";
import type { Run } from "../run.ts";
import type { AnswerEvent, CallOptions } from "../types.ts";
import { type Answer, answerEnd, answerError, unfinished } from "./answer.ts";
import { keepAnswer, lookUp } from "./cache.ts";
import { compact, hasGrown } from "./compact.ts";
import { embedQuery } from "./embed.ts";
import { CheckedText } from "./generate.ts";
import { INSTEAD } from "./instead.ts";
import { assemblePrompt } from "./prompt.ts";
import { rerank } from "./rerank.ts";
import { rewrite } from "./rewrite.ts";
import { save } from "./save.ts";
import { search } from "./search.ts";
import { beginTurn } from "./session.ts";
import type { Question, Stages } from "./stages.ts";

/**
 * One question through the ten steps.
 *
 * Throws before `answer-start`, where the conversation cannot be loaded; afterwards every failure is an `answer-error` event
 * and the last one. `later` runs a task outside the answer, also when the reader has left.
 */
export async function* ask(
  stages: Stages,
  question: Question,
  run: Run,
  later: (task: (call: CallOptions) => Promise<unknown>) => void,
): AsyncGenerator<AnswerEvent, void, undefined> {
  const { settings } = stages;
  const answer: Answer = unfinished(question);
  const { session, recorded } = await run.must("session", (call) => beginTurn(stages, question, call));
  let error: RaglineError | null = null;
  try {
    yield { type: "answer-start", requestId: question.requestId, sessionId: question.sessionId };

    const asked = await run.may("rewrite", () => rewrite(stages, question, session), {
      instead: "the question as it was asked",
      value: { query: question.question, standalone: false },
    });
    answer.query = asked.query;

    const cached =
      stages.cache && question.useCache
        ? await run.may("cache", (call) => lookUp(stages, question, session, asked, call), INSTEAD.cache)
        : null;
    const hit = cached?.hit;
    if (hit) {
      await run.may("save", () => recorded, INSTEAD.record);
      answer.cached = true;
      answer.sources = hit.sources;
      yield { type: "source-list", query: answer.query, sources: hit.sources };
      answer.firstTextMs = run.elapsedMs();
      answer.text = hit.text;
      yield { type: "text-delta", text: hit.text };
    } else {
      const embed = (call: CallOptions) => embedQuery(stages, question.scope, answer.query, call);
      const vector = await run.may("embed", embed, INSTEAD.embed);
      const found = await run.must(
        "search",
        (call) => search(stages, question, answer.query, vector, call),
        settings.searchRetries,
      );
      const keep = question.top ?? settings.keep;
      const inOrder = found.slice(0, keep);
      const best = stages.reranker
        ? await run.may("rerank", (call) => rerank(stages, answer.query, found, keep, call), {
            instead: "kept the order of search",
            value: inOrder,
          })
        : inOrder;
      const prompt = await run.must("prompt", () => assemblePrompt(stages, question, answer.query, session, best));
      answer.ledger = prompt.ledger;
      await run.may("save", () => recorded, INSTEAD.record);
      answer.sources = prompt.request.sources;
      yield { type: "source-list", query: answer.query, sources: answer.sources };

      const checked = new CheckedText(prompt.request);
      const open = (call: CallOptions) => stages.model.stream(prompt.request, call);
      for await (const delta of run.stream("generate", open, settings.generateLimits)) {
        const text = checked.take(delta);
        if (text) {
          answer.firstTextMs ??= run.elapsedMs();
          answer.text += text;
          yield { type: "text-delta", text };
        }
        if (delta.type === "end") {
          answer.finishReason = delta.finishReason;
          answer.usage = delta.usage ?? null;
        } else if (checked.tooLong) {
          answer.finishReason = "length";
          break;
        }
      }
      if (cached && run.degraded.length === 0) later((call) => keepAnswer(stages, question, cached, answer, call));
    }
    answer.status = "complete";
  } catch (thrown) {
    error = run.fail(thrown);
    answer.status = error.code === "cancelled" ? "interrupted" : "failed";
  } finally {
    // A reader who leaves ends this generator here, in the middle of a `yield`.
    if (answer.status === "interrupted") later((call) => save(stages, question, answer, call));
  }

  if (answer.status !== "interrupted") {
    await run.afterwards("save", (call) => save(stages, question, answer, call), INSTEAD.save);
  }
  try {
    yield error ? answerError(error, question, run) : answerEnd(answer, stages, run);
  } finally {
    if (hasGrown(stages, session, answer)) {
      later(() => run.afterwards("compact", (call) => compact(stages, question, call), INSTEAD.compact));
    }
  }
}
