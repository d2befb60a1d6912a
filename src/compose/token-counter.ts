import { createBytesCounter } from "../adapters/token-counter/bytes.ts";
import { createEncodingCounter } from "../adapters/token-counter/encoding.ts";
import { createLlamaCounter } from "../adapters/token-counter/llama.ts";
import { createO200kCounter } from "../adapters/token-counter/o200k.ts";
import { createTokenizerJsonCounter } from "../adapters/token-counter/tokenizer-json.ts";
import type { Config } from "../config.ts";
import type { TokenCounter } from "../ports/token-counter.ts";
import { corrected } from "../wrap/corrected.ts";
import { remembered } from "../wrap/remembered.ts";

/** OpenAI's models since GPT-4o. */
const O200K_MODELS = /^(?:chatgpt-4o|gpt-4o|gpt-4\.|gpt-5|gpt-oss|o[1-9])/;

export async function chooseCounter({ prompt, generate }: Config): Promise<TokenCounter> {
  if (generate.use === "llama") return remembered(await createLlamaCounter(generate.model));
  if (prompt.tokenizerFile?.endsWith(".gguf")) return remembered(await createLlamaCounter(prompt.tokenizerFile));
  if (prompt.tokenizerFile !== undefined) {
    return corrected(remembered(await createTokenizerJsonCounter(prompt.tokenizerFile)), false);
  }
  const quotes = generate.use === "extractive" || generate.use === "simulated";
  const isO200k = quotes || ("model" in generate && O200K_MODELS.test(nameOf(generate.model)));
  const name = prompt.counter === "auto" ? (isO200k ? "o200k_base" : "bytes") : prompt.counter;
  if (name === "bytes") return corrected(createBytesCounter(), true);
  const exact = name === "o200k_base" ? createO200kCounter() : createEncodingCounter(name);
  return corrected(remembered(await exact), false);
}

/** Without the provider's part of it. */
function nameOf(model: string | { readonly modelId: string }): string {
  return (typeof model === "string" ? model : model.modelId).replace(/^.*\//, "");
}
