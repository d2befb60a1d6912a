import { beginning } from "./cut.ts";
import { refusalOf } from "./post.ts";

/** How OpenAI, vLLM, Ollama, llama.cpp, text-embeddings-inference and others say that a text, or all together, are too long. */
const LENGTH =
  /too (long|large|many)|context (length|window|size)|maximum|max_?(input|batch|client)|less than|exceed|larger than/i;

/** Whether an upstream refused because of the length of what it was sent. */
function isTooLong(thrown: unknown): boolean {
  const refusal = refusalOf(thrown);
  if (!refusal) return false;
  if (refusal.status === 413) return true;
  return [400, 422].includes(refusal.status) && LENGTH.test(refusal.reason);
}

/**
 * Sends texts in calls of at most `textsMax`, one after the other. Where the endpoint finds them too long all the same, as its
 * tokenizer is not ours, they are sent in halves, and a single one is cut in half.
 */
export async function inBatches<T>(
  texts: readonly string[],
  textsMax: number,
  send: (texts: readonly string[]) => Promise<T[]>,
): Promise<T[]> {
  if (texts.length > 0 && texts.length <= textsMax) return inHalves(texts, send);
  const results: T[] = [];
  for (let at = 0; at < texts.length; at += textsMax) {
    results.push(...(await inHalves(texts.slice(at, at + textsMax), send)));
  }
  return results;
}

/** A shorter text that is refused as too long is refused for something else. */
const CHARACTERS_MIN = 64;

async function inHalves<T>(texts: readonly string[], send: (texts: readonly string[]) => Promise<T[]>): Promise<T[]> {
  try {
    return await send(texts);
  } catch (thrown) {
    const [only = ""] = texts;
    if (!isTooLong(thrown) || (texts.length === 1 && only.length < CHARACTERS_MIN)) throw thrown;
    if (texts.length === 1) return inHalves([beginning(only, only.length >> 1)], send);
    const half = texts.length >> 1;
    return [...(await inHalves(texts.slice(0, half), send)), ...(await inHalves(texts.slice(half), send))];
  }
}
