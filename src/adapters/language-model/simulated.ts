import { Permits } from "../../permits.ts";
import type { GenerateDelta, GenerateRequest, LanguageModel } from "../../ports/language-model.ts";
import { type Distribution, draw, type Random, seeded } from "../../random.ts";
import { unlikeCitations } from "../../text/brackets.ts";
import { languageOf } from "../../text/language.ts";
import type { Source } from "../../types.ts";
import { reach } from "../simulated/clock.ts";

export interface SimulatedModelOptions {
  /** From the slot to the first token, in milliseconds. */
  readonly firstTokenMs: Distribution;
  /** From a token to the next, alone. */
  readonly tokenMs: Distribution;
  /** What each further answer under way adds to `tokenMs`, as a share of it. */
  readonly batchSlowdown: number;
  /** Of an answer; a token is a word. */
  readonly tokens: Distribution;
  readonly contextTokensMax: number;
  /** Answers written at once. */
  readonly slots: number;
  /** Answers that wait for a slot at most; a further one is refused as `overloaded`. */
  readonly queueMax: number;
  /** Given a look at how many wait. */
  readonly watchQueue?: (waiting: () => number) => void;
  readonly seed: number;
}

const NOTHING_FOUND = {
  ko: "이 답변은 모의 언어 모델이 만든 것이며 참고할 문서가 없습니다.",
  en: "This answer comes from a simulated language model, which was given no documents.",
} as const;

/**
 * An emulated model server with continuous batching: `slots` answers are written at once, further ones wait in line, and every
 * answer under way slows the others down. It writes the passages' words, each with its citation, at the pace of a model.
 * Tokens that are due by the time a timer fires leave together.
 */
export function createSimulatedModel(options: SimulatedModelOptions): LanguageModel {
  const random = seeded(options.seed);
  const { slots: concurrencyMax, queueMax, watchQueue } = options;
  const slots = new Permits({ concurrencyMax, queueMax, setting: "generate.queueMax", watchQueue });
  return {
    model: "simulated",
    quotesOnly: true,
    contextTokensMax: options.contextTokensMax,
    async *stream(request, call) {
      const planned = plan(request, options, random);
      const slot = await slots.take(call);
      let due = slot.startedAt + planned.firstTokenMs;
      try {
        const words = wordsOf(request);
        for (let written = 0; written < planned.tokens; ) {
          await reach(due, call.signal);
          let text = "";
          for (const now = performance.now(); written < planned.tokens && due <= now; written++) {
            text += words.next().value;
            const slowdown = 1 + options.batchSlowdown * (slots.running - 1);
            if (written + 1 < planned.tokens) due += draw(options.tokenMs, random) * slowdown;
          }
          yield { type: "text", text } satisfies GenerateDelta;
        }
      } finally {
        slot.free(Math.min(due, performance.now()));
      }
      call.onServed?.({ queueMs: 0, serviceMs: due - slot.startedAt });
      yield { type: "end", finishReason: planned.isCut ? "length" : "stop" };
    },
  };
}

function plan({ maxOutputTokens }: GenerateRequest, { firstTokenMs, tokens }: SimulatedModelOptions, random: Random) {
  const wanted = Math.max(1, Math.round(draw(tokens, random)));
  return {
    firstTokenMs: draw(firstTokenMs, random),
    tokens: Math.min(wanted, maxOutputTokens),
    isCut: wanted > maxOutputTokens,
  };
}

/** The passages' words for ever, spaces included. */
function* wordsOf({ question, sources }: GenerateRequest): Generator<string, never, undefined> {
  const nothing = NOTHING_FOUND[languageOf(question) === "ko" ? "ko" : "en"];
  const quote = ({ n, text }: Source) => `${unlikeCitations(text.trim(), sources.length)} [${n}]`;
  const texts = sources.length > 0 ? sources.map(quote) : [nothing];
  let space = "";
  while (true) {
    for (const text of texts) {
      for (const [word] of text.matchAll(/\S+/g)) {
        yield space + word;
        space = " ";
      }
    }
  }
}
