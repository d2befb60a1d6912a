import type { TokenCorrection, TokenCounter } from "../ports/token-counter.ts";
import { bytesByScript, SCRIPTS, type Script } from "../text/scripts.ts";

/** Reports that are remembered by script: the highest of them counts. */
const REPORTS_MAX = 64;
/** After as many, one prompt in so many is counted again to compare: counting it takes a tenth of all work for an answer. */
const REPORTED_EACH = 16;
/** A bound is loosened from this many reports on. */
const REPORTS_MIN = 3;
/** On top of the highest ratio reported: texts differ. */
const MARGIN = 1.25;
/** A script that has less of a prompt says nothing about itself. */
const SHARE_MIN = 0.6;
/** Shorter prompts are mostly what the chat format adds. */
const TOKENS_MIN = 100;
/** However little is reported: code and rare words cost more than prose. Hangul: more than a token a syllable, 3 bytes. */
const BOUND_MIN: Readonly<Record<Script, number>> = { latin: 0.4, hangul: 0.4, other: 1 };
/** However much is reported: more is another fault than the tokenizer's. */
const RAISED_MAX = 4;

/**
 * A counter corrected by what the endpoint reports of the prompts that were counted, script by script. One that counts for the
 * model is only ever raised, up to 4 times; a bound (`isBound`) is lowered to the highest ratio reported plus a quarter, down to 0.4
 * tokens a byte of words and Hangul, and not at all for digits, punctuation and other scripts. Until then the count is the counter's own.
 */
export function corrected(counter: TokenCounter, isBound: boolean): TokenCounter {
  const reports: Record<Script, number[]> = { latin: [], hangul: [], other: [] };
  let factors: Record<Script, number> | null = null;
  let compared = 0;

  function factorOf(script: Script): number {
    const highest = Math.max(0, ...reports[script]);
    if (!isBound) return Math.min(RAISED_MAX, Math.max(1, highest));
    if (reports[script].length < REPORTS_MIN) return 1;
    return Math.min(1, Math.max(BOUND_MIN[script], highest * MARGIN));
  }

  return {
    name: counter.name,
    count(text) {
      if (!factors || text === "") return counter.count(text);
      const bytes = bytesByScript(text);
      const whole = bytes.latin + bytes.hangul + bytes.other;
      const weighed = SCRIPTS.reduce((sum, script) => sum + bytes[script] * (factors?.[script] ?? 1), 0);
      return Math.ceil((counter.count(text) * weighed) / whole);
    },
    compare(texts) {
      if (compared++ >= REPORTS_MAX && compared % REPORTED_EACH !== 0) return null;
      const counts = texts.map((text) => ({ bytes: bytesByScript(text), tokens: counter.count(text) }));
      const counted = counts.reduce((sum, one) => sum + one.tokens, 0);
      if (counted < TOKENS_MIN) return null;
      const whole = counts.reduce((sum, { bytes }) => sum + bytes.latin + bytes.hangul + bytes.other, 0);
      const shares = SCRIPTS.map((script) => counts.reduce((sum, { bytes }) => sum + bytes[script], 0) / whole);
      return (tokens) => {
        if (tokens <= 0) return;
        for (const [i, script] of SCRIPTS.entries()) {
          const share = shares[i] ?? 0;
          if (share < SHARE_MIN) continue;
          // What the other scripts cost cannot be told apart: all is laid on this one.
          reports[script].push(isBound ? tokens / (counted * share) : tokens / counted);
          if (reports[script].length > REPORTS_MAX) reports[script].shift();
        }
        const next = { latin: factorOf("latin"), hangul: factorOf("hangul"), other: factorOf("other") };
        factors = SCRIPTS.every((script) => next[script] === 1) ? null : next;
      };
    },
    corrections(): TokenCorrection[] {
      return SCRIPTS.filter((script) => reports[script].length > 0).map((script) => ({
        script,
        factor: factors?.[script] ?? 1,
        reports: reports[script].length,
      }));
    },
  };
}
