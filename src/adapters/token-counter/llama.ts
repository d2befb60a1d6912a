import { basename, resolve } from "node:path";
import { RaglineError } from "../../errors.ts";
import type { TokenCounter } from "../../ports/token-counter.ts";
import { importLlama, openLlama } from "../llama/library.ts";

/** Longer texts are counted in pieces, so that no text of any length reaches native code whole. */
const PIECE_MAX = 4096;

export interface LlamaCounter extends TokenCounter {
  /** Gives the vocabulary's memory back. */
  close(): Promise<void>;
}

/**
 * Counts with the tokenizer in a GGUF file, whose vocabulary alone is loaded. Exact up to 4,096 UTF-16 units, one token more for each
 * cut above. What looks like a control token counts as the plain text that it is in a prompt.
 * @throws RaglineError `config_invalid`: the package is not installed, or the file cannot be loaded.
 */
export async function createLlamaCounter(path: string): Promise<LlamaCounter> {
  const file = resolve(path);
  const { llama } = await openLlama(await importLlama(), 1);
  const model = await llama.loadModel({ modelPath: file, vocabOnly: true }).catch(async (cause: unknown) => {
    await llama.dispose();
    throw new RaglineError("config_invalid", `generate.model: the tokenizer of ${file} cannot be loaded.`, { cause });
  });
  return {
    name: basename(file, ".gguf"),
    count(text) {
      let tokens = 0;
      for (let start = 0; start < text.length; ) {
        const end = pieceEnd(text, start);
        tokens += model.tokenize(text.slice(start, end).toWellFormed(), false).length + (end < text.length ? 1 : 0);
        start = end;
      }
      return tokens;
    },
    async close() {
      await model.dispose();
      await llama.dispose();
    },
  };
}

/** Before a space, where words are parted anyway, else between two characters. */
function pieceEnd(text: string, start: number): number {
  const end = start + PIECE_MAX;
  if (end >= text.length) return text.length;
  const space = text.lastIndexOf(" ", end);
  if (space > start) return space;
  return /[\ud800-\udbff]/.test(text.charAt(end - 1)) ? end - 1 : end;
}
