import type { TokenCounter } from "../../ports/token-counter.ts";

/**
 * A bound for any model: the bytes of the text in UTF-8, plus one. Byte-level vocabularies (GPT, Llama 3, Qwen, Mistral) and those
 * with byte fallback (SentencePiece, which puts one space before a text) spend at most a token a byte. A lone surrogate is sent as
 * U+FFFD, 3 bytes. Not covered: normalisation that makes a text longer, as NFKC does with a few compatibility characters.
 */
export function createBytesCounter(): TokenCounter {
  return { name: "bytes", count: (text) => (text === "" ? 0 : Buffer.byteLength(text) + 1) };
}
