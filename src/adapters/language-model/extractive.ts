import type { Embedder } from "../../ports/embedder.ts";
import type { GenerateRequest, LanguageModel } from "../../ports/language-model.ts";
import { dot, sum } from "../../statistics.ts";
import { CONTRASTS } from "../../text/asks.ts";
import { unlikeCitations } from "../../text/brackets.ts";
import { languageOf } from "../../text/language.ts";
import { headingText, passageText } from "../../text/passage-text.ts";
import { isCounted, type Term } from "../../text/terms.ts";
import type { CallOptions } from "../../types.ts";
import { type Asked, askedOf } from "./asked.ts";
import { namesAnother } from "./named.ts";
import { quotesOf } from "./quotes.ts";
import { announcedBy, listOf, mostOf, ofAmounts, type Weighed, withoutLess } from "./rows.ts";
import { sharesBy } from "./shares.ts";
import { wantedForm } from "./wanted.ts";

export interface ExtractiveOptions {
  readonly sentencesMax: number;
  /** Compares wordings. The thresholds below are for `static`. */
  readonly embedder: Embedder;
}

/**
 * A passage supports an answer from here on: half the share of the question's words it holds, its cosine with the question, and
 * a fifth where its title and headings hold two of the words. Of KorQuAD's questions 2% are declined with their passage at hand and
 * 44% without any of their article's; of the bundled handbook's 7 of 38 in the documents' language, and 9 of 10 that it does not answer.
 */
const SUPPORT_MIN = 0.57;
const WORDS_WEIGHT = 0.5;
const HEADINGS_WEIGHT = 0.2;
/** Words in title and headings that say what a passage is about; more say no more. */
const HEADING_WORDS = 2;
/** The same for questions in a script that the embedder does not know: by words alone. */
const WORDS_SUPPORT_MIN = 0.5;
/** What a word of the background is worth beside one that the reader asks with. */
const BACKGROUND_WEIGHT = 0.5;
/** Where a message tells something before it asks: quotes that hold more of its question's words than this answer that alone. */
const OWN_SHARE_MIN = 0.5;
/** Quotes this much weaker than the best are left out. */
const BEST_SHARE_MIN = 0.6;
/** What a word in a heading is worth beside one in the quote itself, but for the number of an article. */
const ABOVE_WEIGHT = 0.5;
/** What each rank of its passage costs a quote. */
const RANK_COST = 0.1;

/** What it is worth that a quote holds an amount or a time where one is asked for. */
const FORM_WEIGHT = 0.3;

const NOT_FOUND = {
  ko: "제공된 문서에서는 이 질문의 답을 찾지 못했습니다.",
  en: "I don't know: the documents at hand do not answer this question.",
} as const;

interface ScoredQuote extends Weighed {
  readonly score: number;
  /** Of the words that the reader asks with. */
  readonly ownShare: number;
}

/**
 * Quotes the sentences that come nearest to the question, by its words (rare ones counting more) and by word vectors, each
 * with its citation; says that it does not know where no passage comes near enough. No model: nothing is said that the
 * documents do not say, but nothing is concluded from them either.
 */
export function createExtractiveModel(options: ExtractiveOptions): LanguageModel {
  return {
    model: "extractive",
    contextTokensMax: 32_768,
    quotesOnly: true,
    async *stream(request, call) {
      const asked = askedOf(request);
      const supported = await isSupported(request, asked, options.embedder, call);
      const quotes = supported ? await choose(request, asked, options, call) : [];
      if (quotes.length === 0) {
        yield { type: "text", text: NOT_FOUND[languageOf(request.question) === "ko" ? "ko" : "en"] };
        yield { type: "end", finishReason: "no_answer" };
        return;
      }
      for (const [index, { text, source }] of quotes.entries()) {
        call.signal.throwIfAborted();
        const quoted = unlikeCitations(text, request.sources.length);
        yield { type: "text", text: `${index > 0 ? "\n" : ""}${quoted} [${source.n}]` };
      }
      yield { type: "end", finishReason: "stop" };
    },
  };
}

async function isSupported(
  { query, sources }: GenerateRequest,
  { question, own, background, goesOn }: Asked,
  embedder: Embedder,
  call: CallOptions,
): Promise<boolean> {
  const texts = sources.map(passageText);
  if (namesAnother(question, texts)) return false;
  const terms = [...own, ...background];
  const sharesOf = sharesBy(terms);
  const shares = texts.map(sharesOf);
  const ofOwn = shares.map((share) => sum(share.slice(0, own.length)));
  const ofBackground = shares.map((share) => sum(share.slice(own.length)));
  if (goesOn && CONTRASTS.test(question) && Math.max(...ofBackground) > 0 && Math.max(...ofOwn) === 0) return false;
  const most = own.length + BACKGROUND_WEIGHT * background.length;
  const words = ofOwn.map((held, at) => (held + BACKGROUND_WEIGHT * (ofBackground[at] ?? 0)) / Math.max(1, most));
  const near = await cosines(query, texts, embedder, call);
  if (!near) return words.some((share) => share >= WORDS_SUPPORT_MIN);
  const wanted = Math.min(HEADING_WORDS, Math.max(1, terms.length));
  return sources.some(({ title, headings }, index) => {
    const above = Math.min(wanted, sum(sharesOf([title, ...headings].join(" ")))) / wanted;
    const support = WORDS_WEIGHT * (words[index] ?? 0) + HEADINGS_WEIGHT * above + (near[index] ?? 0);
    return support >= SUPPORT_MIN;
  });
}

async function choose(
  { query, sources }: GenerateRequest,
  { own, background, goesOn, amounts, compared }: Asked,
  { sentencesMax, embedder }: ExtractiveOptions,
  call: CallOptions,
): Promise<ScoredQuote[]> {
  const terms = [...own, ...background];
  const quotes = ofAmounts(sources.flatMap(quotesOf), amounts);
  const sharesOf = sharesBy(terms);
  const inside = quotes.map(({ text }) => sharesOf(text));
  const above = quotes.map((quote) => sharesOf(quote.above));
  const weights = weigh(terms, inside).map((weight, t) => (t < own.length ? weight : weight * BACKGROUND_WEIGHT));
  const placed = quotes.map((quote) => `${quote.above}\n${quote.text}`);
  const near = await cosines(query, placed, embedder, call);
  const form = wantedForm(query);
  const weighed = quotes.map((quote, index): ScoredQuote => {
    const held = inside[index] ?? [];
    const shares = terms.map((term, t) =>
      Math.max(held[t] ?? 0, (above[index]?.[t] ?? 0) * (isCounted(term) ? 1 : ABOVE_WEIGHT)),
    );
    return {
      ...quote,
      inside: held,
      shares,
      ownShare: sum(shares.slice(0, own.length)) / Math.max(1, own.length),
      score:
        sum(shares.map((share, t) => share * (weights[t] ?? 0))) +
        (near?.[index] ?? 0) +
        (form?.test(quote.text) ? FORM_WEIGHT : 0) -
        RANK_COST * (quote.source.n - 1),
    };
  });
  const all = withoutLess(weighed, terms, compared);
  const scored = ofSubject(ofOwn(all, background.length === 0 ? 1 : goesOn ? 0 : OWN_SHARE_MIN), sharesOf);
  scored.sort((a, b) => b.score - a.score || a.source.n - b.source.n || a.position - b.position);
  const best = scored[0]?.score ?? 0;
  const seen = new Set<string>();
  const chosen = scored.filter(({ score, text }) => {
    if (score < best * BEST_SHARE_MIN || seen.has(text)) return false;
    seen.add(text);
    return true;
  });
  const told = chosen
    .slice(0, sentencesMax)
    .flatMap((quote) => [
      quote,
      ...mostOf(announcedBy(quote, all), ({ inside }) => sum(inside.filter((_, t) => quote.inside[t] === 0))),
      ...mostOf(listOf(quote, all), ({ inside }) =>
        sum(inside.map((share, t) => (t < own.length ? share : share * BACKGROUND_WEIGHT))),
      ),
    ]);
  return inReadingOrder([...new Map(told.map((quote) => [`${quote.source.n} ${quote.position}`, quote])).values()]);
}

/**
 * Those that hold any of the words that the reader asks with, where one holds more than `share` of them: else what was told or asked before
 * is a part of the question.
 */
function ofOwn(quotes: readonly ScoredQuote[], share: number): ScoredQuote[] {
  const isMet = quotes.some(({ ownShare }) => ownShare > share);
  return quotes.filter(({ ownShare }) => !isMet || ownShare > 0);
}

/**
 * Without those that say the same of another subject: a title or heading holds a word of the question, their passage does not, and a quote
 * below it holds all words that they do.
 */
function ofSubject(quotes: readonly ScoredQuote[], sharesOf: (text: string) => readonly number[]): ScoredQuote[] {
  const bySource = Map.groupBy(quotes, ({ source }) => source);
  const subjects = [...bySource].map(([source, own]) => ({
    entitled: sharesOf(headingText(source)),
    mentioned: sharesOf(passageText(source)),
    said: new Map(own.map(({ shares }) => [shares.map((share) => (share > 0 ? 1 : 0)).join(""), shares])),
  }));
  const isOther = ({ mentioned }: (typeof subjects)[number], { entitled }: (typeof subjects)[number]) =>
    entitled.some((share, t) => share === 1 && mentioned[t] === 0);
  return [...bySource.values()].flatMap((own, at) => {
    const subject = subjects[at] as (typeof subjects)[number];
    const said = subjects.filter((other) => isOther(subject, other)).flatMap((other) => [...other.said.values()]);
    return own.filter(
      ({ shares }) => !said.some((others) => shares.every((share, t) => share === 0 || (others[t] ?? 0) > 0)),
    );
  });
}

/** The passage with the best quote first; what is quoted of one passage in the order it is written. */
function inReadingOrder(quotes: readonly ScoredQuote[]): ScoredQuote[] {
  const places = new Map([...new Set(quotes.map(({ source }) => source.n))].map((n, place) => [n, place]));
  const placeOf = ({ source }: ScoredQuote) => places.get(source.n) ?? 0;
  return quotes.toSorted((a, b) => placeOf(a) - placeOf(b) || a.position - b.position);
}

/** Cosine of each text with the query; null where the embedder knows nothing in the query. */
async function cosines(
  query: string,
  texts: readonly string[],
  embedder: Embedder,
  call: CallOptions,
): Promise<number[] | null> {
  const [asked] = await embedder.embed([query], "query", call);
  if (!asked?.some((value) => value !== 0)) return null;
  const vectors = await embedder.embed(texts, "passage", call);
  return vectors.map((vector) => dot(vector, asked));
}

/** Rare words say more: inverse frequency over the quotes, summing to 1. */
function weigh(terms: readonly Term[], held: readonly (readonly number[])[]): number[] {
  const raw = terms.map((_, t) => {
    const frequency = held.filter((shares) => (shares[t] ?? 0) > 0).length;
    return Math.log(1 + (held.length + 1) / (frequency + 0.5));
  });
  const total = raw.reduce((a, b) => a + b, 0);
  return raw.map((weight) => weight / total);
}
