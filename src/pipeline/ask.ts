import type { RaglineError } from "../errors.ts";
import type { Run } from "../run.ts";
import type { AnswerEvent, CallOptions } from "../types.ts";
import { stillFits } from "./ahead.ts";
import { type Answer, answerEnd, answerError, unfinished } from "./answer.ts";
import { keepAnswer, lookUp } from "./cache.ts";
import { compact, hasGrown } from "./compact.ts";
import { embedQuery } from "./embed.ts";
import { bare, FALLBACKS, searchOrder } from "./fallbacks.ts";
import { CheckedText, learnCounts } from "./generate.ts";
import { assemblePrompt } from "./prompt.ts";
import { recall } from "./recall.ts";
import { rerank } from "./rerank.ts";
import { needsModel, rewrite, rewriteByRules } from "./rewrite.ts";
import { save } from "./save.ts";
import { search } from "./search.ts";
import { beginTurn, keepLease } from "./session.ts";
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
  const begun = await run.must("session", (call) => beginTurn(stages, question, call));
  const { session, recorded } = begun;
  const endLease = keepLease(stages, question);
  const find = async (query: string) => {
    const vector = await run.may("embed", (call) => embedQuery(stages, question.scope, query, call), FALLBACKS.embed);
    const searched = (call: CallOptions) => search(stages, question, query, vector, call);
    return { vector, found: await run.must("search", searched) };
  };
  let error: RaglineError | null = null;
  try {
    yield { type: "answer-start", requestId: question.requestId, sessionId: question.sessionId };
    const ahead = needsModel(stages, question, session) ? find(question.question).catch(() => null) : null;
    const asked = await run.may("rewrite", (call) => rewrite(stages, question, session, call), {
      fallback: "rewritten by rules",
      value: rewriteByRules(stages, question, session),
    });
    answer.query = asked.query;

    const cached =
      stages.cache && question.useCache
        ? await run.may("cache", (call) => lookUp(stages, question, session, asked, call), FALLBACKS.cache)
        : null;
    const hit = cached?.hit;
    if (hit) {
      answer.cached = true;
      answer.sources = hit.sources;
      yield { type: "source-list", query: answer.query, sources: hit.sources };
      await run.may("save", () => recorded, FALLBACKS.record);
      answer.firstTextMs = run.elapsedMs();
      answer.text = hit.text;
      yield { type: "text-delta", text: hit.text };
    } else {
      const early = await stillFits(ahead, question.question, asked.query, stages.words);
      const { vector, found } = early ?? (await find(asked.query));
      const keep = question.top ?? settings.keep;
      const ranked = (call: CallOptions) => rerank(stages, asked.query, found, keep, call);
      const inOrder = searchOrder(found, keep);
      const best = stages.reranker ? await run.may("rerank", ranked, inOrder) : inOrder.value;
      const wanted = { query: asked.query, vector };
      const past = await run.may("prompt", (call) => recall(stages, question, begun, wanted, call), bare(session));
      const prompt = await run.must("prompt", () => assemblePrompt(stages, question, asked.query, past, best));
      answer.ledger = prompt.ledger;
      answer.sources = prompt.request.sources;
      yield { type: "source-list", query: answer.query, sources: answer.sources };

      const checked = new CheckedText(prompt.request);
      const open = (call: CallOptions) => stages.model.stream(prompt.request, call);
      for await (const delta of run.stream("generate", open, settings.generateLimits)) {
        const text = checked.take(delta);
        if (text) {
          if (answer.text === "") await run.may("save", () => recorded, FALLBACKS.record);
          answer.firstTextMs ??= run.elapsedMs();
          answer.text += text;
          yield { type: "text-delta", text };
        }
        if (delta.type === "end") {
          answer.finishReason = delta.finishReason;
          answer.usage = delta.usage ?? null;
          learnCounts(stages, prompt.request, delta.usage);
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
    endLease();
    // A reader who leaves ends this generator here, in the middle of a `yield`.
    if (answer.status === "interrupted") later((call) => save(stages, question, answer, call));
  }

  if (answer.status !== "interrupted") {
    await run.afterwards("save", (call) => save(stages, question, answer, call), FALLBACKS.save);
  }
  try {
    yield error ? answerError(error, question, run) : answerEnd(answer, stages, run);
  } finally {
    if (hasGrown(stages, session, answer)) {
      later(() => run.afterwards("compact", (call) => compact(stages, question, call), FALLBACKS.compact));
    }
  }
}
