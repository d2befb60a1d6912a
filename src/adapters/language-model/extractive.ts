import type { GenerateRequest, LanguageModel } from "../../ports/language-model.ts";
import { languageOf } from "../../text/language.ts";
import { searchTokens } from "../../text/tokens.ts";
import { type Quote, quotesOf } from "./quotes.ts";
import { held, type Term, termsOf } from "./terms.ts";

/** Of the question's weight, what the best passage must hold for it to count as answering. */
const PASSAGE_SUPPORT_MIN = 0.5;
/** … and what a quote must hold, with what stands above it. */
const QUOTE_SUPPORT_MIN = 0.3;
/** Quotes this much weaker than the best are left out. */
const BEST_SHARE_MIN = 0.6;
/** What a word in a heading is worth beside one in the quote itself. */
const ABOVE_WEIGHT = 0.5;
/** What each rank of its passage costs a quote. */
const RANK_COST = 0.04;

const NOT_FOUND = {
  ko: "제공된 문서에서는 이 질문의 답을 찾지 못했습니다.",
  en: "I don't know: the documents at hand do not answer this question.",
} as const;

interface ScoredQuote extends Quote {
  readonly score: number;
}

/**
 * Quotes the sentences that hold most of the question's words, rare words counting more, each with its citation; says that
 * it does not know where no passage holds enough of them. No model: nothing is said that the documents do not say.
 */
export function createExtractiveModel(options: { readonly sentencesMax: number }): LanguageModel {
  return {
    model: "extractive",
    contextTokensMax: 32_768,
    async *stream(request, { signal }) {
      const quotes = choose(request, options.sentencesMax);
      if (quotes.length === 0) {
        yield { type: "text", text: NOT_FOUND[languageOf(request.question) === "ko" ? "ko" : "en"] };
        yield { type: "end", finishReason: "no_answer" };
        return;
      }
      for (const [index, { text, source }] of quotes.entries()) {
        signal.throwIfAborted();
        yield { type: "text", text: `${index > 0 ? "\n" : ""}${text} [${source.n}]` };
      }
      yield { type: "end", finishReason: "stop" };
    },
  };
}

function choose(request: GenerateRequest, sentencesMax: number): ScoredQuote[] {
  const terms = termsOf(request.query);
  const quotes = request.sources.flatMap(quotesOf);
  if (terms.length === 0 || quotes.length === 0) return [];
  const tokens = quotes.map(({ text }) => new Set(searchTokens(text)));
  const above = quotes.map((quote) => new Set(searchTokens(quote.above)));
  const weights = weigh(terms, tokens);
  if (bestPassage(request, terms, weights) < PASSAGE_SUPPORT_MIN) return [];

  const scored = quotes.map((quote, index): ScoredQuote => {
    const support = sum(terms, (term, t) => {
      const inside = held(term, tokens[index] ?? new Set());
      const over = held(term, above[index] ?? new Set()) * ABOVE_WEIGHT;
      return (weights[t] ?? 0) * Math.max(inside, over);
    });
    return { ...quote, score: support * (1 - RANK_COST * (quote.source.n - 1)) };
  });
  scored.sort((a, b) => b.score - a.score || a.source.n - b.source.n || a.position - b.position);
  const best = scored[0]?.score ?? 0;
  if (best < QUOTE_SUPPORT_MIN) return [];
  const seen = new Set<string>();
  const chosen = scored.filter(({ score, text }) => {
    if (score < best * BEST_SHARE_MIN || seen.has(text)) return false;
    seen.add(text);
    return true;
  });
  return inReadingOrder(chosen.slice(0, sentencesMax));
}

/** Rare words say more: inverse frequency over the quotes, summing to 1. */
function weigh(terms: readonly Term[], tokens: readonly ReadonlySet<string>[]): number[] {
  const raw = terms.map((term) => {
    const frequency = tokens.filter((set) => held(term, set) > 0).length;
    return Math.log(1 + (tokens.length + 1) / (frequency + 0.5));
  });
  const total = raw.reduce((a, b) => a + b, 0);
  return raw.map((weight) => weight / total);
}

function bestPassage({ sources }: GenerateRequest, terms: readonly Term[], weights: readonly number[]): number {
  const supports = sources.map(({ title, headings, text }) => {
    const tokens = new Set(searchTokens([title, ...headings, text].join("\n")));
    return sum(terms, (term, t) => (weights[t] ?? 0) * held(term, tokens));
  });
  return Math.max(0, ...supports);
}

/** The best quote's passage first; within a passage as it stands there. */
function inReadingOrder(quotes: readonly ScoredQuote[]): ScoredQuote[] {
  const order = [...new Set(quotes.map(({ source }) => source.n))];
  return quotes.toSorted((a, b) => order.indexOf(a.source.n) - order.indexOf(b.source.n) || a.position - b.position);
}

function sum<T>(items: readonly T[], value: (item: T, index: number) => number): number {
  return items.reduce((total, item, index) => total + value(item, index), 0);
}
