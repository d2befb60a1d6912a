import { readFile } from "node:fs/promises";
import { RaglineError } from "../../errors.ts";
import type { TokenCounter } from "../../ports/token-counter.ts";
import { countPieces } from "./encoding.ts";

/**
 * Counts with a model's own `tokenizer.json`, as Hugging Face ships it. Long texts are counted in pieces, one token more a cut.
 * @throws RaglineError `config_invalid`: the package is not installed, or the file is no tokenizer.
 */
export async function createTokenizerJsonCounter(file: string): Promise<TokenCounter> {
  const { Tokenizer } = await import("@huggingface/tokenizers").catch((cause: unknown) => {
    const message =
      "prompt.tokenizerFile needs the package @huggingface/tokenizers: npm install @huggingface/tokenizers";
    throw new RaglineError("config_invalid", message, { cause });
  });
  try {
    const tokenizer = new Tokenizer(JSON.parse(await readFile(file, "utf8")) as object, {});
    const encode = (piece: string) => tokenizer.encode(piece.toWellFormed(), { add_special_tokens: false }).ids.length;
    encode("ready");
    return { name: "tokenizer.json", count: (text) => countPieces(text, encode) };
  } catch (cause) {
    throw new RaglineError("config_invalid", `prompt.tokenizerFile: ${file} cannot be read as a tokenizer.json.`, {
      cause,
    });
  }
}
