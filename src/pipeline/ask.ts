import { callsSent } from "../calls-sent.ts";
import type { RaglineError } from "../errors.ts";
import type { Run } from "../run.ts";
import type { AnswerEvent, CallOptions } from "../types.ts";
import { type Answer, answerEnd, answerError, answerStart, failed, unfinished } from "./answer.ts";
import { begin } from "./begin.ts";
import { keepAnswer, lookUp } from "./cache.ts";
import { compact, hasGrown } from "./compact.ts";
import { bare, byRules, FALLBACKS, searchOrder } from "./fallbacks.ts";
import { Finder, findAhead } from "./find.ts";
import { generate } from "./generate.ts";
import { letGo } from "./history.ts";
import { searchRewritten } from "./own-topic.ts";
import { assemblePrompt } from "./prompt.ts";
import { recall } from "./recall.ts";
import { sendAgain } from "./repeated.ts";
import { rerank } from "./rerank.ts";
import { isSettled, needsModel, rewrite, rewriteByRules } from "./rewrite.ts";
import { save, saveLater } from "./save.ts";
import { keepLease } from "./session.ts";
import type { Question, Stages } from "./stages.ts";

/**
 * One question through the ten steps. Throws before `answer-start`, where the conversation cannot be loaded; afterwards every
 * failure is an `answer-error` event and the last one. `later` runs a task outside the answer, also when the reader has left.
 */
export async function* ask(
  stages: Stages,
  question: Question,
  run: Run,
  later: (task: (call: CallOptions) => Promise<unknown>) => void,
): AsyncGenerator<AnswerEvent, void, undefined> {
  const answer: Answer = unfinished(question);
  const asIs = new Finder(stages, { ...question, query: question.question }, run);
  if (isSettled(stages, question)) await asIs.embedAhead();
  const begun = await begin(stages, question, answer, run, later);
  if (begun.complete) return yield* sendAgain(stages, question, begun.complete, run);
  const endLease = keepLease(stages, question);
  const find = (query: string) =>
    (query === asIs.query ? asIs : new Finder(stages, { ...question, query }, run)).find();
  let error: RaglineError | null = null;
  try {
    yield answerStart(question);
    const early = needsModel(stages, question, begun.session) ? findAhead(stages, question, run, asIs) : null;
    const ruled = byRules(rewriteByRules(stages, question, begun.session));
    const rewritten = (call: CallOptions) => rewrite(stages, question, begun.session, call);
    const asked = early ? await run.may("rewrite", rewritten, ruled) : ruled.value;
    answer.query = asked.query;
    const cached =
      stages.cache && question.useCache
        ? await run.may("cache", (call) => lookUp(stages, question, begun.session, asked, early, call), FALLBACKS.cache)
        : null;
    const hit = cached?.hit;
    if (hit) {
      answer.cached = true;
      ({ query: answer.query, sources: answer.sources } = hit);
      yield { type: "source-list", query: hit.query, sources: hit.sources };
      await run.may("save", () => begun.recorded, FALLBACKS.record);
      run.noteText();
      answer.text = hit.text;
      yield { type: "text-delta", text: hit.text };
    } else {
      // What it takes to write is let go here: an answer may be written for minutes, beside thousands of others.
      const { deltas, checked, learn } = await (async () => {
        const { query, vector, found } = await searchRewritten(asIs, asked, stages.words, find, early?.found ?? null);
        answer.query = query;
        const keep = question.top ?? stages.settings.keep;
        const inOrder = searchOrder(found, keep);
        const ranked = (call: CallOptions) => rerank(stages, query, found, keep, call);
        const past = (call: CallOptions) => recall(stages, question, begun, { query, vector }, call);
        const [best, recalled] = await Promise.all([
          stages.reranker && question.useReranker ? run.may("rerank", ranked, inOrder) : inOrder.value,
          callsSent().then(() => run.may("prompt", past, bare(begun.session))),
        ]);
        const prompt = await run.must("prompt", () => assemblePrompt(stages, question, query, recalled, best));
        answer.ledger = prompt.ledger;
        answer.sources = prompt.request.sources;
        letGo(begun);
        return generate(stages, prompt.request, run);
      })();
      yield { type: "source-list", query: answer.query, sources: answer.sources };
      for await (const delta of deltas) {
        const text = checked.take(delta);
        if (text) {
          if (answer.text === "" && !begun.isRecorded()) await run.may("save", () => begun.recorded, FALLBACKS.record);
          run.noteText();
          answer.text += text;
          yield { type: "text-delta", text };
        }
        if (delta.type === "end") {
          answer.finishReason = delta.finishReason;
          answer.usage = delta.usage ?? null;
          learn(delta.usage);
        } else if (checked.tooLong) {
          answer.finishReason = "length";
          break;
        }
      }
      if (cached && run.degraded.length === 0) later((call) => keepAnswer(stages, question, cached, answer, call));
    }
    answer.status = "complete";
  } catch (thrown) {
    error = failed(answer, run, thrown);
  } finally {
    endLease();
    run.leave();
    // A reader who leaves ends this generator here, in the middle of a `yield`.
    if (answer.status === "interrupted") later((call) => saveLater(stages, question, answer, call));
  }
  if (answer.status !== "interrupted") {
    await run.afterwards("save", (call) => save(stages, question, answer, call), FALLBACKS.save);
  }
  try {
    yield run.end(error ? answerError(error, question, run) : answerEnd(answer, stages, run));
  } finally {
    if (hasGrown(stages, begun.size, answer)) {
      later(() => run.afterwards("compact", (call) => compact(stages, question, call), FALLBACKS.compact));
    }
  }
}
