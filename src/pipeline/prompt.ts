import { RaglineError } from "../errors.ts";
import type { GenerateRequest } from "../ports/language-model.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { sum } from "../statistics.ts";
import { pageLabel } from "../text/page-label.ts";
import type { LeftOut, Message, ScoredPassage, Source, TokenLedger } from "../types.ts";
import { budgetOf, historyClaim, MESSAGE_TOKENS, messageTokens, withoutRoom } from "./budget.ts";
import { fitHistory, historyTokens, type Past } from "./history.ts";
import type { Question, Stages } from "./stages.ts";

const PASSAGES = "Passages:\n\n";
const NO_PASSAGES = "Passages: none were found.\n\n";

/** What is not seen, within a line. */
const UNSEEN = String.raw`(?:(?![\n\r\v\f\x85\u2028\u2029])[\s\p{Cf}\p{Cc}])`;
const NUMBER = String.raw`[[［【]${UNSEEN}{0,8}\p{Nd}{1,3}${UNSEEN}{0,8}[\]］】]`;
const WORD = String.raw`(?:\*\*|__)?(?:question|passages|질문|system)${UNSEEN}{0,8}(?:\*\*|__)?${UNSEEN}{0,8}[:：]`;
/** Where a line of a passage begins as one of the prompt's own does, or looks so: it could pass for another passage, or for the question. */
const POSING = new RegExp(String.raw`(?<=^|[\v\f\x85])(?=${UNSEEN}*(?:${NUMBER}|${WORD}))`, "gimu");

/** Other places of a passage that the model is told: they may name the year or the department that was asked for. */
const OTHER_PLACES_MAX = 3;

export interface Prompt {
  readonly request: GenerateRequest;
  readonly ledger: TokenLedger;
}

/** While there is something to wait for: counts what the prompt holds in any case, which counters remember. */
export function expectPrompt({ counter }: Stages, question: Question): void {
  counter.count(lineOf(question));
}

/**
 * Step 7: the prompt under its token budget.
 *
 * The question always stays. Of what it leaves, history may claim a third and context two thirds; what one does not need the
 * other may take. Passages go in by rank, turns from the newest back. The assembled prompt is counted in the parts it
 * is joined from, which gives its count or a few more, and shrunk until it fits.
 * @throws RaglineError `prompt_too_large`: the question alone does not fit.
 */
export function assemblePrompt(
  stages: Stages,
  question: Question,
  query: string,
  past: Past,
  best: readonly ScoredPassage[],
): Prompt {
  const { counter } = stages;
  const { system, systemTokens, windowTokens, expectedOutput, available } = budgetOf(stages);
  const line = lineOf(question);
  const lineTokens = counter.count(line) + MESSAGE_TOKENS;
  const questionTokens = counter.count(NO_PASSAGES) + lineTokens;
  if (questionTokens > available) {
    const window = `${windowTokens} tokens, of which the system prompt takes ${systemTokens} and the answer ${expectedOutput}`;
    throw new RaglineError(
      "prompt_too_large",
      `question: ${questionTokens} tokens, more than the ${Math.max(0, available)} that the model's window leaves for it (${window})`,
      { step: "prompt" },
    );
  }

  let room = available - questionTokens;
  const leftOut: LeftOut[] = [];
  for (;;) {
    leftOut.length = 0;
    const claim = Math.min(historyTokens(past, counter), historyClaim(room));
    const context = fitPassages(best, room - claim, counter, leftOut);
    const history = fitHistory(past, room - context.tokens, counter);
    leftOut.push(...history.leftOut);
    const opening = context.sources.length === 0 ? NO_PASSAGES : PASSAGES;
    const messages: Message[] = [
      { role: "system", content: system },
      ...history.messages,
      { role: "user", content: opening + context.text + line },
    ];
    const historyTotal = sum(history.messages.map(({ content }) => messageTokens(content, counter)));
    const total = systemTokens + historyTotal + counter.count(opening) + context.tokens + lineTokens;
    const excess = total + expectedOutput - windowTokens;
    if (excess > 0 && room > 0) {
      room = Math.max(0, room - excess - MESSAGE_TOKENS);
      continue;
    }
    return {
      request: {
        messages,
        question: question.question,
        query,
        sources: context.sources,
        maxOutputTokens: expectedOutput,
      },
      ledger: {
        counter: counter.name,
        available,
        system: systemTokens,
        history: history.tokens,
        context: context.tokens,
        question: questionTokens,
        total,
        rungs: history.rungs,
        leftOut,
      },
    };
  }
}

function lineOf({ question }: Question): string {
  return `Question: ${question}`;
}

/** A part of the last message: each ends with its line, where tokenizers part words, so that the parts' counts add up. */
function quote({ n, text, alsoIn = [], ...place }: Source): [place: string, text: string] {
  const places = [place, ...alsoIn.slice(0, OTHER_PLACES_MAX)].map(nameOf);
  return [`[${n}] ${[...new Set(places)].join("; also: ")}\n`, `${text.replace(POSING, "> ")}\n\n`];
}

function nameOf({ title, headings, ...place }: Pick<Source, "title" | "headings" | "page" | "pageEnd">): string {
  return [title, ...headings, pageLabel(place)].filter(Boolean).join(" > ");
}

function countAll(parts: readonly string[], counter: TokenCounter): number {
  return sum(parts.map((part) => counter.count(part)));
}

interface Context {
  readonly sources: Source[];
  readonly tokens: number;
  /** As it stands in the prompt. */
  readonly text: string;
}

function fitPassages(
  best: readonly ScoredPassage[],
  budget: number,
  counter: TokenCounter,
  leftOut: LeftOut[],
): Context {
  const sources: Source[] = [];
  let tokens = 0;
  let text = "";
  for (const scored of best) {
    const source = toSource(scored, sources.length + 1);
    const parts = quote(source);
    const needed = countAll(parts, counter);
    if (tokens + needed <= budget) {
      sources.push(source);
      tokens += needed;
      text += parts.join("");
      continue;
    }
    leftOut.push(withoutRoom("context", source.passageId, needed, budget - tokens, budget));
  }
  const [first] = best;
  if (sources.length === 0 && first) {
    const cut = cutToFit(first, budget, counter);
    if (cut) return { sources: [cut], tokens: countAll(quote(cut), counter), text: quote(cut).join("") };
  }
  return { sources, tokens, text };
}

/** The best passage's beginning, where not even it fits whole. */
function cutToFit(scored: ScoredPassage, budget: number, counter: TokenCounter): Source | null {
  const source = toSource(scored, 1);
  const characters = [...source.text];
  let fits = 0;
  for (let low = 1, high = Math.min(characters.length, budget * 8); low <= high; ) {
    const middle = (low + high) >> 1;
    const text = characters.slice(0, middle).join("");
    if (countAll(quote({ ...source, text }), counter) <= budget) {
      fits = middle;
      low = middle + 1;
    } else {
      high = middle - 1;
    }
  }
  return fits === 0 ? null : { ...source, text: characters.slice(0, fits).join("") };
}

function toSource({ passage, score, alsoIn }: ScoredPassage, n: number): Source {
  const { id, tokens: _, ...rest } = passage;
  return { ...rest, n, passageId: id, score, ...(alsoIn && { alsoIn }) };
}
